import fc from "fast-check";
import { bind, close, describe, execute, flush, parse } from "./frontend.ts";
import { parseText, statementName } from "./texts.ts";

const portalName = fc.constantFrom("", "", "p", "q");
const anyStatement = fc.oneof(fc.constant(""), statementName);
const values = fc.array(fc.constantFrom("1", "0", "12", "x", "large".repeat(5000)), {
  maxLength: 2,
});

/** Such a text is prepared without a name, and executed at once; see the allowed differences. */
const NAMING = /^(?:prepare|execute|deallocate) /u;

/** Messages of the extended protocol that make sense together. */
function statement(texts: fc.Arbitrary<string>): fc.Arbitrary<Buffer[]> {
  return fc
    .record({
      sql: parseText(texts),
      name: anyStatement,
      portal: portalName,
      values,
      isDescribed: fc.constantFrom("no", "S", "P"),
      maxRows: fc.constantFrom(0, 0, 0, 1, 3),
      executions: fc.nat({ max: 3 }),
    })
    .map(({ sql, name, executions, ...rest }) =>
      NAMING.test(sql)
        ? { sql, name: "", executions: Math.max(1, executions), ...rest }
        : { sql, name, executions, ...rest },
    )
    .map(({ sql, name, portal, values: given, isDescribed, maxRows, executions }) => [
      parse(sql, name),
      ...(isDescribed === "S" ? [describe("S", name)] : []),
      bind(sql.includes("$1") ? given : [], { statement: name, portal }),
      ...(isDescribed === "P" ? [describe("P", portal)] : []),
      ...Array.from({ length: executions }, () => execute(portal, maxRows)),
    ]);
}

/** One message of the extended protocol, whatever came before. */
function lone(texts: fc.Arbitrary<string>): fc.Arbitrary<Buffer[]> {
  return fc
    .oneof(
      fc
        .tuple(parseText(texts), anyStatement)
        .map(([sql, name]) => parse(NAMING.test(sql) ? "select 'no name'" : sql, name)),
      fc
        .tuple(values, anyStatement, portalName)
        .map(([given, name, portal]) => bind(given, { statement: name, portal })),
      fc
        .tuple(anyStatement, portalName)
        .map(([name, portal]) => bind([], { statement: name, portal })),
      fc
        .tuple(portalName, fc.constantFrom(0, 1, 5, -1))
        .map(([portal, rows]) => execute(portal, rows)),
      anyStatement.map((name) => describe("S", name)),
      portalName.map((name) => describe("P", name)),
      anyStatement.map((name) => close("S", name)),
      portalName.map((name) => close("P", name)),
      fc.constant(flush),
    )
    .map((message) => [message]);
}

/** Messages of the extended protocol, without a Sync. */
export function group(texts: fc.Arbitrary<string>): fc.Arbitrary<Buffer[]> {
  return fc
    .array(
      fc.oneof({ weight: 2, arbitrary: statement(texts) }, { weight: 3, arbitrary: lone(texts) }),
      { minLength: 1, maxLength: 4 },
    )
    .map((parts) => parts.flat());
}

import fc from "fast-check";
import { copying } from "./copying.ts";
import {
  bind,
  close,
  describe,
  execute,
  flush,
  parse,
  query,
  sync,
  terminate,
} from "./frontend.ts";
import { damaged } from "./damaged.ts";
import { anyText, briefText, parseText, singleText, statementName } from "./texts.ts";

/** What one client sends next. */
export interface Step {
  readonly client: number;
  readonly messages: readonly Buffer[];
  /** Where the bytes are cut in pieces, from 0 to 1. */
  readonly cuts: readonly number[];
  /** The answer is waited for and compared before the next step. */
  readonly isAwaited: boolean;
  /** A COPY FROM STDIN may be under way afterwards. */
  readonly mayCopy: boolean;
}

/** Clients of a conversation. */
export const CLIENTS = 5;
/** The first of them may keep a backend from one step to the next. */
export const KEEPING_CLIENTS = 2;

const NAMING = /^(?:prepare|execute|deallocate) /u;

const portalName = fc.constantFrom("", "", "p", "q");
const anyStatement = fc.oneof(fc.constant(""), statementName);
const values = fc.array(fc.constantFrom("1", "0", "12", "x"), { maxLength: 2 });
const cuts = fc.oneof(
  { weight: 2, arbitrary: fc.constant([]) },
  {
    weight: 1,
    arbitrary: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 6 }),
  },
);

/** Texts that name statements are prepared without a name only; see the allowed differences. */
function nameFor(sql: string, name: string): string {
  return NAMING.test(sql) ? "" : name;
}

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
    .map(({ sql, name: wanted, ...rest }) => ({ sql, name: nameFor(sql, wanted), ...rest }))
    .map(({ sql, name, portal, values: given, isDescribed, maxRows, executions }) => [
      parse(sql, name),
      ...(isDescribed === "S" ? [describe("S", name)] : []),
      bind(sql.includes("$") ? given : [], { statement: name, portal }),
      ...(isDescribed === "P" ? [describe("P", portal)] : []),
      ...Array.from({ length: executions }, () => execute(portal, maxRows)),
    ]);
}

/** One message of the extended protocol, whatever came before. */
function lone(texts: fc.Arbitrary<string>): fc.Arbitrary<Buffer[]> {
  return fc
    .oneof(
      fc.tuple(parseText(texts), anyStatement).map(([sql, name]) => parse(sql, nameFor(sql, name))),
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

function group(texts: fc.Arbitrary<string>): fc.Arbitrary<Buffer[]> {
  return fc
    .array(
      fc.oneof({ weight: 2, arbitrary: statement(texts) }, { weight: 3, arbitrary: lone(texts) }),
      {
        minLength: 1,
        maxLength: 4,
      },
    )
    .map((parts) => parts.flat());
}

interface Said {
  readonly messages: readonly Buffer[];
  readonly mayCopy?: boolean;
  /** Nothing of it stays open. */
  readonly isWhole?: boolean;
}

function whole(texts: fc.Arbitrary<string>, parsed = texts): fc.Arbitrary<Said> {
  return fc.oneof(
    { weight: 4, arbitrary: texts.map((sql) => ({ messages: [query(sql)] })) },
    {
      weight: 4,
      arbitrary: group(parsed).map((messages) => ({ messages: [...messages, sync] })),
    },
    {
      weight: 1,
      arbitrary: fc
        .array(
          fc.oneof(
            texts.map((sql) => [query(sql)]),
            group(parsed).map((said) => [...said, sync]),
          ),
          {
            minLength: 2,
            maxLength: 4,
          },
        )
        .map((parts) => ({ messages: parts.flat() })),
    },
  );
}

function unfinished(client: number): fc.Arbitrary<Said> {
  const texts = anyText(client);
  return fc.oneof(
    { weight: 6, arbitrary: group(texts).map((messages) => ({ messages })) },
    { weight: 4, arbitrary: group(texts).map((messages) => ({ messages: [...messages, flush] })) },
    { weight: 6, arbitrary: copying(client).map((messages) => ({ messages, mayCopy: true })) },
    { weight: 2, arbitrary: damaged.map((messages) => ({ messages })) },
    { weight: 1, arbitrary: fc.constant({ messages: [terminate] }) },
  );
}

function stepsOf(client: number): fc.Arbitrary<Step> {
  const isKeeping = client < KEEPING_CLIENTS;
  const said: fc.Arbitrary<Said> = isKeeping
    ? fc.oneof(
        { weight: 3, arbitrary: whole(anyText(client)) },
        { weight: 1, arbitrary: unfinished(client) },
      )
    : whole(briefText, singleText);
  return fc
    .record({ said, cuts, isAwaited: fc.boolean() })
    .map(({ said: { messages, mayCopy = false }, cuts: places, isAwaited }) => ({
      client,
      messages,
      cuts: places,
      isAwaited: isAwaited || !isKeeping,
      mayCopy,
    }));
}

/** Random conversations of {@link CLIENTS} clients. They need a backend for each that may keep one, and one more. */
export function conversations({ maxSteps = 14 }: { readonly maxSteps?: number } = {}): fc.Arbitrary<
  readonly Step[]
> {
  const step = fc.oneof(...Array.from({ length: CLIENTS }, (_, client) => stepsOf(client)));
  return fc.array(step, { minLength: 1, maxLength: maxSteps });
}

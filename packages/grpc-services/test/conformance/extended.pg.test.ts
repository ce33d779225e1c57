import { beforeAll, expect, test } from "vitest";
import { Gateway } from "./gateway.ts";
import { onState, resultsOf, rowsOf, shapeOf, stateOf, valueOf } from "./result-reading.ts";
import { useScene } from "./scene.ts";
import { WireClient } from "./wire-client.ts";

const TRANSACTION = 1;
const PORTAL = 4;
const TEXT_OID = 25;
const INT4_OID = 23;
const INT8_OID = 20;

const scene = useScene({ pooler: { controller: { capacity: 1 } } });

beforeAll(async () => {
  await scene.postgres.sql("create table plans (a int)");
  await scene.postgres.sql("insert into plans values (1)");
});

/** The parameters of a portal as they travel. */
function parameters(...values: readonly (Buffer | string | null)[]) {
  const bytes = values.map((value) => (value === null ? null : Buffer.from(value)));
  return {
    paramLengths: bytes.map((value) => BigInt(value?.byteLength ?? -1)),
    paramValues: Buffer.concat(bytes.filter((value) => value !== null)),
  };
}

/** What the one backend has prepared. */
async function prepared(): Promise<readonly (readonly (string | null)[])[]> {
  const query = `select name, statement, parameter_types::text from pg_prepared_statements
    where statement not like '%pg_prepared_statements%' order by prepare_time`;
  return rowsOf(await scene.gateway.streamExecute({ query }));
}

test("same query, different names, two clients → one `ppstmtN`; types distinguish", async () => {
  using other = new WireClient(scene.pooler.address);
  const query = "select $1 as same";
  const portal = parameters("x");
  for (const [gateway, name, paramTypes] of [
    [scene.gateway, "stmt0", [TEXT_OID]],
    [new Gateway(other), "another", [TEXT_OID]],
    [scene.gateway, "stmt0", [TEXT_OID]],
  ] as const) {
    const preparedStatement = { name, query, paramTypes: [...paramTypes] };
    const answer = await gateway.portal({
      preparedStatement,
      portal: { ...portal, preparedStatementName: name },
    });
    expect(valueOf(answer)).toBe("x");
  }
  expect((await prepared()).map(([, sql, types]) => [sql, types])).toEqual([[query, "{text}"]]);
  expect((await prepared())[0]?.[0]).toMatch(/^ppstmt\d+$/);
  const preparedStatement = { name: "stmt0", query, paramTypes: [INT4_OID] };
  const typed = await scene.gateway.portal({ preparedStatement, portal: parameters("7") });
  expect(valueOf(typed)).toBe("7");
  expect((await prepared()).map(([, , types]) => types)).toEqual(["{text}", "{integer}"]);
});

test("NULL params", async () => {
  const answer = await scene.gateway.portal({
    preparedStatement: { query: "select $1::text is null, $2::text, $3::text" },
    portal: parameters(null, "", null),
  });
  expect(rowsOf(answer)).toEqual([["t", "", null]]);
});

test("binary formats", async () => {
  const number = Buffer.alloc(8);
  number.writeBigInt64BE(2n ** 40n);
  const answer = await scene.gateway.portal({
    preparedStatement: { query: "select $1 + 1", paramTypes: [INT8_OID] },
    portal: { ...parameters(number), paramFormats: [1], resultFormats: [1] },
    portalOptions: { includeDescribe: true },
  });
  expect(resultsOf(answer)).toMatchObject([{ fields: [{ dataTypeOid: INT8_OID, format: 1 }] }]);
  const [row] = resultsOf(answer)[0]?.rows ?? [];
  expect(Buffer.from(row?.values ?? []).readBigInt64BE()).toBe(2n ** 40n + 1n);
});

test("include_describe fields", async () => {
  const preparedStatement = { query: "select a from plans" };
  const described = await scene.gateway.portal({
    preparedStatement,
    portalOptions: { includeDescribe: true },
  });
  expect(resultsOf(described)).toMatchObject([
    { hasFields: true, fields: [{ name: "a", dataTypeOid: INT4_OID, tableAttributeNumber: 1 }] },
  ]);
  const plain = await scene.gateway.portal({ preparedStatement });
  expect(resultsOf(plain)).toMatchObject([
    { hasFields: false, fields: [], commandTag: "SELECT 1", rows: [{ lengths: [1n] }] },
  ]);
});

test("DDL between executions heals cached plan", async () => {
  await scene.postgres.sql("create table healed (a int)");
  await scene.postgres.sql("insert into healed values (1)");
  const wish = { preparedStatement: { query: "select * from healed" } };
  expect(rowsOf(await scene.gateway.portal(wish))).toEqual([["1"]]);
  await scene.postgres.sql("alter table healed add column b text default 'b'");
  expect(rowsOf(await scene.gateway.portal(wish))).toEqual([["1", "b"]]);
});

test("describe statement incl. NoData and zero columns", async () => {
  const statement = await scene.gateway.describe({
    preparedStatement: { query: "select a, $1::text as t from plans where a = $2" },
  });
  expect(statement.messages).toMatchObject([
    {
      description: {
        parameters: [{ dataTypeOid: TEXT_OID }, { dataTypeOid: INT4_OID }],
        fields: [{ name: "a" }, { name: "t" }],
        hasFields: true,
      },
    },
  ]);
  for (const [query, hasFields] of [
    ["insert into plans values ($1)", false],
    ["select from plans", true],
    ["", false],
  ] as const) {
    const { messages } = await scene.gateway.describe({ preparedStatement: { query } });
    expect(messages).toMatchObject([{ description: { fields: [], hasFields } }]);
  }
  const wrong = await scene.gateway.describe({ preparedStatement: { query: "select nothing" } });
  expect(wrong).toMatchObject({ code: 2, rpcError: { pgDiagnostic: { code: "42703" } } });
  expect(await scene.gateway.describe({})).toMatchObject({
    code: 2,
    text: "no prepared statement provided",
  });
});

test("describe portal incl. NoData and zero columns, again and again in a transaction", async () => {
  const begun = await scene.gateway.streamExecute({
    query: "select 1",
    reservationOptions: { reasons: TRANSACTION },
  });
  const options = onState(begun);
  for (const [query, fields, hasFields] of [
    ["select $1 + 1 as n", [{ name: "n", format: 1 }], true],
    ["select $1 + 1 as n", [{ name: "n", format: 1 }], true],
    ["select from plans where a = $1", [], true],
    ["insert into plans values ($1)", [], false],
  ] as const) {
    const answer = await scene.gateway.describe({
      preparedStatement: { query, paramTypes: [INT4_OID] },
      portal: { ...parameters("1"), resultFormats: fields.length === 0 ? [] : [1] },
      options,
    });
    expect(answer).toMatchObject({
      code: 0,
      messages: [{ description: { parameters: [], fields, hasFields } }],
    });
  }
  await scene.gateway.release({ options });
});

test("an eager Parse in a transaction, with the BEGIN of its block", async () => {
  const parse = (query: string) => ({
    executeSqlPreparedStatement: { preparedStatement: { query }, forceUnnamedParse: true },
  });
  const begun = await scene.gateway.streamExecute({
    options: parse("select $1::int"),
    reservationOptions: { reasons: TRANSACTION, beginQuery: "BEGIN;" },
  });
  expect(shapeOf(begun)).toEqual(["state"]);
  const reservation = onState(begun);
  const ended = await scene.gateway.streamExecute({
    options: { ...reservation, ...parse("END;") },
  });
  expect(shapeOf(ended)).toEqual(["state"]);
  const failed = await scene.gateway.streamExecute({
    options: { ...reservation, ...parse("select nothing") },
  });
  expect(shapeOf(failed)).toEqual(["state"]);
  expect(failed.rpcError?.pgDiagnostic?.code).toBe("42703");
  await scene.gateway.release({ options: reservation });
});

test("SQL EXECUTE runs the statement that the gateway remembers", async () => {
  const answer = await scene.gateway.streamExecute({
    options: {
      executeSqlPreparedStatement: {
        sqlPrefix: "EXECUTE ",
        preparedStatement: { name: "p", query: "SELECT $1 + 1", paramTypes: [INT4_OID] },
        sqlSuffix: " ( 3 )",
      },
    },
  });
  expect(shapeOf(answer)).toEqual(["SELECT 1"]);
  expect(valueOf(answer)).toBe("4");
});

test("a row limit keeps the portal: no tag, reason 4, released at the end", async () => {
  const preparedStatement = { query: "select generate_series(1, 3)" };
  const limited = await scene.gateway.portal({
    preparedStatement,
    portal: { name: "limited" },
    options: { maxRows: 2n },
  });
  expect(shapeOf(limited)).toEqual(["rows", "state"]);
  expect(rowsOf(limited)).toEqual([["1"], ["2"]]);
  expect(stateOf(limited)?.reservationReasons).toBe(PORTAL);
  const all = await scene.gateway.portal({
    preparedStatement,
    portal: { name: "limited" },
    options: { ...onState(limited), maxRows: 10n },
  });
  expect(shapeOf(all)).toEqual(["SELECT 3"]);
});

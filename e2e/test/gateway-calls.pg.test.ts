import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type pg from "pg";
import { GatewayPooler } from "./gateway-pooler.ts";

const STATEMENT_TIMEOUT_MS = 30_000;
const COMMIT = 1;

let pooler: GatewayPooler;
let client: pg.Client;
let seen = 0;

beforeAll(async () => {
  pooler = await GatewayPooler.start();
  client = await pooler.connect({ application_name: "caller" });
  await client.query("create table called (id int)");
});

afterAll(async () => {
  await client?.end();
  await pooler?.[Symbol.asyncDispose]();
});

beforeEach(() => {
  seen = pooler.gateway.calls.length;
});

/** The calls since the test began. */
function calls(): readonly unknown[] {
  return pooler.gateway.calls.slice(seen);
}

/** A StreamExecute in its essentials. */
function statement(query: string, rest: object = {}): unknown {
  return expect.objectContaining({
    method: "streamExecute",
    timeoutMs: STATEMENT_TIMEOUT_MS,
    request: expect.objectContaining({ query, ...rest }),
  });
}

test("health comes first, then the credentials of a login", () => {
  expect(pooler.gateway.calls.slice(0, 2)).toMatchObject([
    { method: "streamPoolerHealth", timeoutMs: undefined },
    { method: "getAuthCredentials", request: { database: "postgres", username: "postgres" } },
  ]);
});

test("each request has the settings, the user and its keys", async () => {
  await client.query("select 1");
  expect(calls()).toMatchObject([
    {
      method: "streamExecute",
      timeoutMs: STATEMENT_TIMEOUT_MS,
      request: {
        target: { shardKey: { tableGroup: "default", shard: "0-inf" }, mode: 1 },
        options: {
          user: "postgres",
          userAuth: { clientKey: { byteLength: 32 }, serverKey: { byteLength: 32 } },
          sessionSettings: { application_name: "caller" },
          reservedConnectionId: 0n,
          passthroughRow: true,
        },
        reservationOptions: undefined,
      },
    },
  ]);
});

test("BEGIN travels with the first statement, in the client's words", async () => {
  await client.query("begin;");
  expect(calls()).toEqual([]);
  await client.query("insert into called values (1)");
  await client.query("select 1");
  await client.query("commit");
  expect(calls()).toMatchObject([
    { request: { reservationOptions: { reasons: 1, beginQuery: "begin;" } } },
    { request: { options: { reservedConnectionId: expect.any(BigInt) } } },
    {
      method: "concludeTransaction",
      request: {
        conclusion: COMMIT,
        chain: false,
        rollbackSessionSettings: { vars: { application_name: "caller" } },
      },
    },
  ]);
});

test("a transaction with nothing in it asks nobody", async () => {
  await client.query("begin");
  await client.query("commit");
  expect(calls()).toEqual([]);
});

test("one message with several statements is a reservation", async () => {
  await client.query("select 1; select 2; insert into called values (2)");
  expect(calls()).toEqual([
    statement("select 1", {
      reservationOptions: expect.objectContaining({ reasons: 1, beginQuery: "BEGIN" }),
    }),
    statement("select 2"),
    statement("insert into called values (2)"),
    expect.objectContaining({ method: "concludeTransaction" }),
  ]);
});

test("a Parse is an eager one in a transaction, and only there", async () => {
  const text = "insert into called values ($1)";
  await client.query({ name: "outside", text, values: [3] });
  await client.query("BEGIN;");
  await client.query({ name: "inside", text, values: [4] });
  await client.query("ROLLBACK");
  expect(calls()).toMatchObject([
    { method: "portalStreamExecute", request: { portalOptions: { includeDescribe: true } } },
    {
      method: "streamExecute",
      timeoutMs: undefined,
      request: {
        options: {
          executeSqlPreparedStatement: {
            preparedStatement: { query: text },
            forceUnnamedParse: true,
          },
        },
        reservationOptions: { reasons: 1, beginQuery: "BEGIN;" },
      },
    },
    { method: "portalStreamExecute", request: { preparedStatement: { query: text } } },
    { method: "concludeTransaction" },
  ]);
});

test("PREPARE and DEALLOCATE ask nobody, and EXECUTE brings the text", async () => {
  await client.query("prepare plus (int) as select $1 + 1 as sum");
  const { rows } = await client.query("EXECUTE plus ( 3 )");
  expect(rows).toEqual([{ sum: 4 }]);
  await client.query("explain execute plus(4)");
  await client.query("create temp table summed as execute plus(5)");
  await client.query("deallocate plus");
  await expect(client.query("execute plus(6)")).rejects.toMatchObject({ code: "26000" });
  const text = { query: "select $1 + 1 as sum", paramTypes: [23] };
  const execution = (sqlPrefix: string, sqlSuffix: string): object => ({
    method: "streamExecute",
    timeoutMs: STATEMENT_TIMEOUT_MS,
    request: {
      options: { executeSqlPreparedStatement: { preparedStatement: text, sqlPrefix, sqlSuffix } },
    },
  });
  expect(calls()).toMatchObject([
    execution("EXECUTE ", " ( 3 )"),
    execution("explain execute ", "(4)"),
    {
      ...execution("create temp table summed as execute ", "(5)"),
      request: { reservationOptions: { reasons: 2 } },
    },
  ]);
  await client.query("discard all");
});

test("PREPARE in a transaction is an eager Parse, whose error fails it", async () => {
  await client.query("begin");
  await client.query("prepare inside as select 'in ' || $1");
  expect((await client.query("execute inside('here')")).rows).toEqual([{ "?column?": "in here" }]);
  await expect(client.query("prepare wrong as selec 1")).rejects.toMatchObject({ code: "42601" });
  await expect(client.query("select 1")).rejects.toMatchObject({ code: "25P02" });
  await client.query("rollback");
  const parse = (query: string): object => ({
    timeoutMs: undefined,
    request: {
      options: {
        executeSqlPreparedStatement: { preparedStatement: { query }, forceUnnamedParse: true },
      },
    },
  });
  const seenCalls = calls();
  expect(seenCalls.slice(0, 3)).toMatchObject([
    {
      ...parse("select 'in ' || $1"),
      request: { reservationOptions: { reasons: 1, beginQuery: "begin" } },
    },
    { request: { options: { executeSqlPreparedStatement: { sqlPrefix: "execute " } } } },
    parse("selec 1"),
  ]);
  expect(seenCalls.at(-1)).toMatchObject({ method: "concludeTransaction" });
  await client.query("deallocate all");
});

test("SET is checked where it leaves nothing, and goes with every request then", async () => {
  await client.query("set work_mem = '8MB'");
  await client.query("select 1");
  await client.query("reset work_mem");
  expect(calls()).toEqual([
    statement("SELECT pg_catalog.set_config('work_mem', '8MB', TRUE)"),
    statement("select 1", {
      options: expect.objectContaining({
        sessionSettings: expect.objectContaining({ application_name: "caller", work_mem: "8MB" }),
      }),
    }),
    statement("SELECT pg_catalog.set_config('work_mem', NULL, TRUE)"),
  ]);
});

test("a client that leaves gives up what is reserved, within 5 s", async () => {
  const leaving = await pooler.connect();
  await leaving.query("begin");
  await leaving.query("insert into called values (5)");
  await leaving.end();
  await expect
    .poll(() => pooler.gateway.calls.at(-1))
    .toMatchObject({
      method: "releaseReservedConnection",
      timeoutMs: 5000,
      request: { keepStickyReservations: false },
    });
});

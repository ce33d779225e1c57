import { ReservationReason } from "@multipooler/query-service";
import type { DescribeRequest, Statement, StatementDescription } from "@multipooler/query-service";
import type { TestPostgres, TemporaryDatabase } from "@multipooler/test-postgres";
import { expect, test } from "vitest";
import type { MultiPooler } from "../src/multi-pooler.ts";
import { databaseOf, query, servingPooler } from "./pooler-fixture.ts";
import { described, prepared, valuesOf } from "./prepared.ts";
import type { Prepared } from "./prepared.ts";
import { ReservingClient } from "./reserving-client.ts";
import { failureOf } from "./settled.ts";
import { useDatabases } from "./test-server.ts";

const { Transaction, TempTable, Portal } = ReservationReason;
const NAMES = "select name from pg_prepared_statements order by name";

let postgres: TestPostgres;
let database: TemporaryDatabase;

useDatabases(
  (started, created) => {
    postgres = started;
    database = created;
  },
  { settings: { max_connections: "40" } },
);

function serving(capacity = 1): Promise<MultiPooler> {
  return servingPooler(databaseOf(postgres, { database: database.name }), { capacity });
}

function statement(
  sql: string,
  values: readonly (string | number | null)[] = [],
  change: Partial<Prepared> = {},
): { readonly statement: Statement } {
  return { statement: prepared(sql, values, change).statement };
}

function describedBy(
  client: ReservingClient,
  pooler: MultiPooler,
  sql: string,
  more: Partial<DescribeRequest> = {},
): Promise<StatementDescription> {
  return described(pooler, sql, { place: { type: "reserved", id: client.id }, ...more });
}

test("a transaction of prepared statements has what the pool has prepared", async () => {
  await using pooler = await serving();
  expect(await valuesOf(pooler, "select $1::int", [1])).toEqual(["1"]);
  const client = new ReservingClient(pooler);
  expect(await client.reserve("", Transaction, statement("select $1::int", [2]))).toMatchObject({
    values: ["2"],
    tags: ["SELECT 1"],
    error: undefined,
  });
  expect((await client.run("", statement("select $1::int", [3]))).values).toEqual(["3"]);
  expect((await client.run(NAMES)).values).toEqual(["ppstmt0"]);
  expect((await client.commit()).tags).toEqual(["COMMIT"]);
  expect(await valuesOf(pooler, "select $1::int", [4])).toEqual(["4"]);
  expect((await query(pooler, NAMES)).values).toEqual(["ppstmt0"]);
});

test("an eager Parse fails in the transaction where PostgreSQL would", async () => {
  await using pooler = await serving();
  const client = new ReservingClient(pooler);
  const parse = (sql: string): { readonly statement: Statement } => ({
    statement: { type: "parse", sql, parameterTypes: [] },
  });
  const begun = await client.reserve("", Transaction, { begin: "BEGIN;", ...parse("select 1") });
  expect(begun).toMatchObject({ values: [], error: undefined });
  expect(begun.reservation?.reasons).toBe(Transaction);
  const failed = await client.run("", parse("select bogus"));
  expect(failed.error).toMatchObject({ diagnostic: { code: "42703" } });
  expect(failed.reservation?.reasons).toBe(Transaction);
  expect((await client.run("", statement("select 1"))).error).toMatchObject({
    diagnostic: { code: "25P02" },
  });
  expect((await client.rollback()).tags).toEqual(["ROLLBACK"]);
});

test("a statement that fails in the transaction that it opened leaves that aborted", async () => {
  await using pooler = await serving();
  const client = new ReservingClient(pooler);
  for (const [sql, code] of [
    ["selec 1", "42601"],
    ["select 1 / (n - 1) from generate_series(1, 2) n", "22012"],
  ] as const) {
    const failed = await client.reserve("", Transaction, statement(sql));
    expect(failed.error).toMatchObject({ diagnostic: { code } });
    expect(failed.reservation?.reasons).toBe(Transaction);
    await client.rollback();
  }
  expect(await valuesOf(pooler, "select 1")).toEqual(["1"]);
});

test("a portal with rows left keeps its backend, by the client's name, until it is done", async () => {
  await using pooler = await serving();
  const client = new ReservingClient(pooler);
  const series = statement("select generate_series(1, 5)", [], { maxRows: 2, portal: "p" });
  const first = await client.reserve("", Portal, { pins: ["p"], ...series });
  expect(first.values).toEqual(["1", "2"]);
  expect(first.reservation?.reasons).toBe(Portal);
  const all = statement("select generate_series(1, 5)", [], { maxRows: 10, portal: "p" });
  const last = await client.run("", all);
  expect(last.values).toHaveLength(5);
  expect(last.reservation).toBeUndefined();
  const complete = await client.reserve("", Portal, { pins: ["p"], ...all });
  expect(complete.reservation).toBeUndefined();
});

test("SQL that names a prepared statement runs in the transaction", async () => {
  await using pooler = await serving();
  const client = new ReservingClient(pooler);
  const execute: Statement = {
    type: "sqlExecute",
    prefix: "EXECUTE ",
    sql: "select $1 * 2",
    parameterTypes: [23],
    suffix: " (21)",
  };
  expect((await client.reserve("", Transaction, { statement: execute })).values).toEqual(["42"]);
  expect((await client.run("", { statement: execute })).values).toEqual(["42"]);
  await client.rollback();
});

test("Describe on a reservation sees what the transaction has made, as often as it is asked", async () => {
  await using pooler = await serving();
  const client = new ReservingClient(pooler);
  await client.reserve("create table mine (a int, b text)", Transaction);
  const binding = { parameters: [], parameterFormats: [], resultFormats: [] };
  for (let round = 0; round < 2; round += 1) {
    expect((await describedBy(client, pooler, "select * from mine")).fields).toHaveLength(2);
    const portal = await describedBy(client, pooler, "select * from mine", { binding });
    expect(portal.fields).toHaveLength(2);
  }
  expect(
    (await describedBy(client, pooler, "insert into mine values ($1, $2)")).parameterTypes,
  ).toEqual([23, 25]);
  expect((await client.commit()).reservation).toBeUndefined();
});

test("a Describe that fails says what is still reserved", async () => {
  await using pooler = await serving();
  const client = new ReservingClient(pooler);
  await client.reserve("select 1", Transaction);
  expect(await failureOf(describedBy(client, pooler, "select bogus"))).toMatchObject({
    diagnostic: { code: "42703" },
    reservation: { id: client.id, reasons: Transaction },
  });
  await client.rollback();
});

test("a Describe on a reservation whose backend has died says that it is lost", async () => {
  await using pooler = await serving();
  const client = new ReservingClient(pooler);
  const { reservation } = await client.reserve("select 1", Transaction);
  await postgres.sql("select pg_terminate_backend($1)", {
    values: [reservation?.backendProcessId],
  });
  expect(await failureOf(describedBy(client, pooler, "select 1"))).toMatchObject({
    reservation: undefined,
  });
});

test.each(["deallocate all", "discard all", "do $$ begin execute 'deallocate all'; end $$"])(
  "%s on a reservation takes no prepared statement from its next request",
  async (sql) => {
    await using pooler = await serving();
    const client = new ReservingClient(pooler);
    await client.reserve("create temp table t (x int)", TempTable);
    for (let round = 0; round < 2; round += 1) {
      expect(await client.run("", statement("select $1::int", [round]))).toMatchObject({
        values: [String(round)],
        error: undefined,
      });
      expect((await client.run(sql)).error).toBeUndefined();
      expect((await client.run("", statement(sql))).error).toBeUndefined();
    }
    await client.release();
  },
);

test("in a transaction that changes a table its statements are parsed again", async () => {
  await using pooler = await serving();
  await query(pooler, "create table t as select 1 as a");
  expect(await valuesOf(pooler, "select * from t")).toEqual(["1"]);
  const client = new ReservingClient(pooler);
  await client.reserve("alter table t add column b int", Transaction);
  expect((await client.run("", statement("select * from t"))).values).toEqual(["1"]);
  await client.commit();
  expect(await valuesOf(pooler, "select * from t")).toEqual(["1"]);
});

import { BackendConnection } from "@multipooler/pgwire";
import type { TestPostgres } from "@multipooler/test-postgres";
import { beforeEach, expect, test } from "vitest";
import type { MultiPooler } from "../src/multi-pooler.ts";
import { send } from "./borrowing.ts";
import { PRIMARY, REPLICA, databaseOf, query, servingPooler } from "./pooler-fixture.ts";
import {
  ADMINISTRATION,
  ALLOWED,
  REFUSED_ALL_THE_SAME,
  REFUSED_BY_POSTGRES,
  WRITES_WITHOUT_GUARD,
} from "./read-only-attempts.ts";
import { failureOf } from "./settled.ts";
import { useServer } from "./test-server.ts";

let postgres: TestPostgres;

useServer(
  async (started) => {
    postgres = started;
    await postgres.sql("create table ledger (entry text)");
    await postgres.sql(`create function sneak(setting text) returns text language sql
    as $$ select set_config(setting, 'off', false) $$`);
    await postgres.sql(`create procedure sneak_and_write() language plpgsql as $$ begin
    perform set_config('default_transaction_read_only', 'off', false);
    commit;
    insert into ledger values ('procedure');
  end $$`);
    await postgres.sql(`create function sneak_by_clause() returns void language sql
    set default_transaction_read_only = off as $$ insert into ledger values ('clause') $$`);
  },
  { settings: { max_prepared_transactions: "5" } },
);

beforeEach(async () => {
  const prepared = await postgres.sql("select gid from pg_prepared_xacts");
  for (const { gid } of prepared) {
    await postgres.sql(`rollback prepared '${String(gid)}'`);
  }
  await postgres.sql("truncate ledger");
  const { host, port, user } = postgres;
  await using writer = await BackendConnection.connect({
    address: { type: "tcp", host, port },
    user,
    database: "postgres",
  });
  const sql = "begin; insert into ledger values ('prepared'); prepare transaction 'waiting'";
  await send(writer, sql);
});

/** A pooler on a real primary that may only read, with one connection for all requests. */
async function readOnlyPooler(): Promise<MultiPooler> {
  return await servingPooler(databaseOf(postgres), { target: REPLICA, capacity: 1 });
}

async function expectNothingWritten(): Promise<void> {
  expect(await postgres.sql("select * from ledger")).toEqual([]);
}

test.each(REFUSED_BY_POSTGRES)("PostgreSQL lets nobody write by %s", async (sql) => {
  await using pooler = await readOnlyPooler();
  expect(await failureOf(query(pooler, sql))).toMatchObject({ name: "PoolerError" });
  expect(await failureOf(query(pooler, "delete from ledger"))).toMatchObject({ code: "READ_ONLY" });
  await expectNothingWritten();
});

test.each(WRITES_WITHOUT_GUARD)("the pooler lets nobody write by %s", async (sql) => {
  await using pooler = await readOnlyPooler();
  expect(await failureOf(query(pooler, sql))).toMatchObject({
    code: "READ_ONLY",
    diagnostic: { code: "25006", severity: "ERROR" },
  });
  await expectNothingWritten();
});

test.each(WRITES_WITHOUT_GUARD)("a read-only default alone does not stop %s", async (sql) => {
  const { host, port, user } = postgres;
  await using session = await BackendConnection.connect({
    address: { type: "tcp", host, port },
    user,
    database: "postgres",
    parameters: { default_transaction_read_only: "on" },
  });
  await send(session, sql);
  expect(await postgres.sql("select * from ledger")).toHaveLength(1);
});

test.each([...REFUSED_ALL_THE_SAME, ...ADMINISTRATION])("%s is refused", async (sql) => {
  await using pooler = await readOnlyPooler();
  expect(await failureOf(query(pooler, sql))).toMatchObject({ code: "READ_ONLY" });
});

test.each(ALLOWED)("%s is served", async (sql) => {
  await using pooler = await readOnlyPooler();
  expect((await query(pooler, sql)).tags).not.toEqual([]);
});

test("a default that a function changed out of sight does not outlive the request", async () => {
  await using pooler = await readOnlyPooler();
  await query(pooler, "select sneak('default_transaction_read_only')");
  expect((await query(pooler, "show default_transaction_read_only")).values).toEqual(["on"]);
});

test("a default that a view changed out of sight does not outlive the request", async () => {
  await postgres.sql(`create or replace view sneaky as
    select sneak('default_transaction_read_only') as value`);
  await using pooler = await readOnlyPooler();
  await query(pooler, "select * from sneaky");
  expect(await failureOf(query(pooler, "insert into ledger values ('x')"))).toMatchObject({
    code: "READ_ONLY",
  });
  await expectNothingWritten();
});

test("connections that could write are not used any more once the pooler is read-only", async () => {
  await using pooler = await servingPooler(databaseOf(postgres), { capacity: 1 });
  const before = await query(pooler, "insert into ledger select pg_backend_pid() returning entry");
  await pooler.setServingType(REPLICA);
  const after = await query(pooler, "select pg_backend_pid()");
  expect(after.values).not.toEqual(before.values);
  expect(await failureOf(query(pooler, "delete from ledger"))).toMatchObject({ code: "READ_ONLY" });
  await pooler.setServingType(PRIMARY);
  expect((await query(pooler, "delete from ledger")).tags).toEqual(["DELETE 1"]);
});

import type { EmbeddedPostgres } from "@multipooler/embedded-postgres";
import { expect, test } from "vitest";
import type { MultiPooler } from "../src/multi-pooler.ts";
import { databaseOf, query, servingPooler } from "./pooler-fixture.ts";
import { valuesOf } from "./prepared.ts";
import { ReservingClient } from "./reserving-client.ts";
import { failureOf } from "./settled.ts";
import { useServer } from "./test-server.ts";

const TRANSACTION = 1;

let postgres: EmbeddedPostgres;
useServer((started) => {
  postgres = started;
});

function pooler(): Promise<MultiPooler> {
  return servingPooler(databaseOf(postgres), { capacity: 1, sessionIsolation: "statements-only" });
}

async function valueOf(of: MultiPooler, sql: string): Promise<string | null | undefined> {
  return (await query(of, sql)).values[0];
}

test.each([
  ["set app.a = 'left'", "select current_setting('app.a')", "left"],
  ["set timezone = 'Europe/Paris'", "show timezone", "Europe/Paris"],
  ["select pg_advisory_lock(7)", "select count(*) from pg_locks where locktype = 'advisory'", "1"],
  ["create temporary table left_behind as select 1 as a", "select a from left_behind", "1"],
])("what %s leaves stays in its connection", async (sql, look, left) => {
  await using one = await pooler();
  const pid = await valueOf(one, "select pg_backend_pid()");
  await query(one, sql);
  expect(await valueOf(one, look)).toBe(left);
  expect(await valueOf(one, "select pg_backend_pid()")).toBe(pid);
});

test("a transaction that is left open is nobody else's", async () => {
  await using one = await pooler();
  await query(one, "create table if not exists rows (a int)");
  const failure = await failureOf(query(one, "begin; insert into rows values (1)"));
  expect(failure).toMatchObject({ message: expect.stringContaining("transaction") });
  expect(await valueOf(one, "select count(*) from rows")).toBe("0");
});

test("a transaction keeps its connection, and its end gives that back", async () => {
  await using one = await pooler();
  const client = new ReservingClient(one);
  const pid = (await client.reserve("select pg_backend_pid()", TRANSACTION)).values[0];
  expect((await client.run("select pg_backend_pid()")).values[0]).toBe(pid);
  await client.run("set app.a = 'transaction'");
  await client.commit();
  expect(client.held).toBeUndefined();
  expect(await valueOf(one, "select current_setting('app.a')")).toBe("transaction");
});

test("prepared statements that a client drops are parsed again", async () => {
  await using one = await pooler();
  const run = (): Promise<(string | null)[]> => valuesOf(one, "select 'prepared'");
  for (const drop of ["deallocate all", "discard all"]) {
    expect(await run()).toEqual(["prepared"]);
    await query(one, drop);
  }
  expect(await run()).toEqual(["prepared"]);
});

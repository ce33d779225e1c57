import { extended, query as queryMessage } from "@multipooler/conversations";
import type { TestPostgres } from "@multipooler/test-postgres";
import { expect, test } from "vitest";
import type { MultiPooler } from "../src/multi-pooler.ts";
import { databaseOf, query, servingPooler } from "./pooler-fixture.ts";
import { valuesOf } from "./prepared.ts";
import { ReservingClient } from "./reserving-client.ts";
import { SessionScene } from "./session-scene.ts";
import { failureOf } from "./settled.ts";
import { useServer } from "./test-server.ts";

const TRANSACTION = 1;

let postgres: TestPostgres;
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

/** Sessions that share the only connection. */
async function sessions(): Promise<SessionScene> {
  await postgres.sql("create sequence if not exists numbers");
  const one = { database: "postgres", capacity: 1 };
  return await SessionScene.open({ postgres, ...one, sessionIsolation: "statements-only" });
}

test.each([
  "select nextval('numbers')",
  "select setval('numbers', 7)",
  "select setseed(0.5)",
  "select pg_advisory_lock(8), pg_advisory_unlock(8)",
  "select pg_try_advisory_lock(9)",
  "create temporary table if not exists pinless (a int)",
  "declare c cursor with hold for select 1; close c",
  "do $$ begin perform set_config('app.b', 'done', false); end $$",
])("a session keeps no connection after %s", async (sql) => {
  await using scene = await sessions();
  const client = await scene.connect();
  const other = await scene.connect();
  for (const message of [queryMessage(sql), ...(sql.includes(";") ? [] : [extended(sql)])]) {
    expect((await client.ask(message)).at(-1)).toBe("Z I");
    expect(client.session.describe()).toEqual({ type: "idle" });
    expect(await other.ask(queryMessage("select 1"))).toContain("D 1");
  }
  expect(scene.backends).toHaveLength(1);
});

test("a session keeps its connection in a transaction, and what it leaves is the next one's", async () => {
  await using scene = await sessions();
  const [client, other] = [await scene.connect(), await scene.connect()];
  await client.ask(queryMessage("begin; select nextval('numbers'); select pg_advisory_lock(11)"));
  expect(client.session.describe()).toMatchObject({ type: "pinned", reason: "Transaction" });
  const waiting = other.ask(queryMessage("select currval('numbers') > 0"));
  await client.ask(queryMessage("commit"));
  expect(await waiting).toContain("D t");
  const held = "select count(*) from pg_locks where locktype = 'advisory' and objid = 11";
  expect(await other.ask(queryMessage(held))).toContain("D 1");
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

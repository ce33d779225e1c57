import { bind, close, execute, extended, parse, query, sync } from "@multipooler/conversations";
import type { TestPostgres, TemporaryDatabase } from "@multipooler/test-postgres";
import { expect, test } from "vitest";
import type { TestClient } from "./session-client.ts";
import { SessionScene } from "./session-scene.ts";
import type { SessionSceneOptions } from "./session-scene.ts";
import { useDatabases } from "./test-server.ts";

let postgres: TestPostgres;
let database: TemporaryDatabase;

useDatabases((started, created) => {
  postgres = started;
  database = created;
});

async function sql(text: string): Promise<Record<string, unknown>[]> {
  return await postgres.sql(text, { database: database.name });
}

async function scene(options: Partial<SessionSceneOptions> = {}): Promise<SessionScene> {
  return await SessionScene.open({ postgres, database: database.name, capacity: 1, ...options });
}

const BEGUN = ["C BEGIN", "Z T"];
const IDLE = { type: "idle" };
const NOBODY = { single: 0, reserved: 0 };

/** A client that has the only backend, in a transaction. */
async function holding(pooler: SessionScene): Promise<TestClient> {
  const holder = await pooler.connect();
  await holder.ask(query("begin; select 1"));
  return holder;
}

test("a transaction takes a backend with its first statement, and not with its BEGIN", async () => {
  await sql("create table t (x int)");
  await using pooler = await scene();
  const [one, two] = [await pooler.connect(), await pooler.connect()];
  expect(await one.ask(query("begin"))).toEqual(BEGUN);
  expect(await two.ask(query("start transaction read only;"))).toEqual([
    "C START TRANSACTION",
    "Z T",
  ]);
  expect(one.session.describe()).toEqual(IDLE);
  expect(pooler.gate.counts).toEqual(NOBODY);
  expect(await two.ask(query("insert into t values (1)"))).toEqual(["E 25006", "Z E"]);
  expect(two.session.describe()).toMatchObject({ type: "pinned", reason: "Transaction" });
  expect(await two.ask(query("commit"))).toEqual(["C ROLLBACK", "Z I"]);
  expect(await one.ask(query("insert into t values (1)"))).toEqual(["C INSERT 0 1", "Z T"]);
  expect(pooler.gate.counts).toEqual({ single: 0, reserved: 1 });
  expect(await one.ask(query("rollback"))).toEqual(["C ROLLBACK", "Z I"]);
  expect(await two.ask(query("select count(*) from t"))).toContain("D 0");
});

test("its modes, and what it is told about itself, reach the server", async () => {
  await using pooler = await scene();
  const client = await pooler.connect();
  await client.ask(query("begin isolation level repeatable read, read only"));
  expect(await client.ask(query("show transaction_isolation"))).toContain("D repeatable read");
  expect(await client.ask(query("show transaction_read_only"))).toContain("D on");
  await client.ask(query("rollback"));
  await client.ask(query("begin"));
  expect(await client.ask(query("set transaction read only"))).toEqual(["C SET", "Z T"]);
  expect(await client.ask(query("show transaction_read_only"))).toContain("D on");
  await client.ask(query("rollback"));
  await client.ask(query("begin"));
  expect(await client.ask(query("set local work_mem = '71kB'"))).toEqual(["C SET", "Z T"]);
  expect(await client.ask(query("show work_mem"))).toContain("D 71kB");
  await client.ask(query("commit"));
  expect(await client.ask(query("show work_mem"))).toContain("D 4MB");
});

test.each([
  ["commit", "C COMMIT"],
  ["END;", "C COMMIT"],
  ["rollback", "C ROLLBACK"],
  ["abort work", "C ROLLBACK"],
])("%s right behind it needs no backend", async (text, tag) => {
  await using pooler = await scene();
  const holder = await holding(pooler);
  const client = await pooler.connect();
  expect(await client.ask([query("begin"), query(text), query("begin;")], 3)).toEqual([
    ...BEGUN,
    tag,
    "Z I",
    ...BEGUN,
  ]);
  await holder.ask(query("commit"));
  expect(await client.ask(query("select 1"))).toEqual(["T", "D 1", "C SELECT 1", "Z T"]);
  expect(await client.ask(query(text))).toEqual([tag, "Z I"]);
});

test("what is more than the end of the transaction is the server's", async () => {
  await using pooler = await scene();
  const client = await pooler.connect();
  await client.ask(query("begin"));
  expect(await client.ask(query("commit and chain"))).toEqual(["C COMMIT", "Z T"]);
  expect(await client.ask(query("rollback to s"))).toEqual(["E 3B001", "Z E"]);
  expect(await client.ask(query("commit"))).toEqual(["C ROLLBACK", "Z I"]);
  await client.ask(query("begin"));
  expect(await client.ask(query("begin"))).toEqual(["N", ...BEGUN]);
  expect(await client.ask(query("rollback; select 2"))).toEqual([
    "C ROLLBACK",
    "T",
    "D 2",
    "C SELECT 1",
    "Z I",
  ]);
});

test("the extended protocol goes on with it", async () => {
  await using pooler = await scene();
  const client = await pooler.connect();
  await client.ask([parse("select 1", "s"), sync]);
  const group = [bind([], { statement: "s" }), execute(), sync];
  expect(await client.ask([query("begin"), ...group], 2)).toEqual([
    ...BEGUN,
    "2",
    "D 1",
    "C SELECT 1",
    "Z T",
  ]);
  await client.ask(extended("rollback"));
  await client.ask(query("begin"));
  expect(await client.ask([parse("select 1", "other"), sync])).toEqual(["1", "Z T"]);
  expect(await client.ask([close("S", "other"), sync])).toEqual(["3", "Z T"]);
  expect(client.session.describe()).toEqual(IDLE);
  expect(await client.ask([bind(), execute(), sync])).toEqual(["E 26000", "Z E"]);
  expect(await client.ask([parse("select 2"), sync])).toEqual(["E 25P02", "Z E"]);
  expect(await client.ask(extended("commit"))).toContain("C ROLLBACK");
});

test("a statement that gets no backend fails the transaction, which can be ended", async () => {
  await using pooler = await scene({ waitTimeoutMs: 50 });
  const holder = await holding(pooler);
  const client = await pooler.connect();
  await client.ask(query("begin"));
  expect(await client.ask(query("select 1"))).toEqual(["E 53300", "Z E"]);
  expect(await client.ask(query("commit"))).toEqual(["C ROLLBACK", "Z I"]);
  await client.ask(query("begin"));
  expect(await client.ask(extended("select 1"))).toEqual(["E 53300", "Z E"]);
  expect(await client.ask(query("select 2"))).toEqual(["E 53300", "Z E"]);
  expect(await client.ask(query("rollback"))).toEqual(["C ROLLBACK", "Z I"]);
  await holder.ask(query("commit"));
  expect(await client.ask(query("select 3"))).toContain("D 3");
});

test("after such a failure nothing runs outside of the transaction", async () => {
  await sql("create table t (x int)");
  await using pooler = await scene({ waitTimeoutMs: 50 });
  const holder = await holding(pooler);
  const client = await pooler.connect();
  await client.ask(query("begin"));
  expect(await client.ask(query("insert into t values (1)"))).toEqual(["E 53300", "Z E"]);
  await holder.ask(query("commit"));
  expect(await client.ask(query("insert into t values (2)"))).toEqual(["E 25P02", "Z E"]);
  expect(await client.ask(query("begin"))).toEqual(["E 25P02", "Z E"]);
  expect(await client.ask(extended("commit"))).toContain("C ROLLBACK");
  expect(await client.ask(query("select count(*) from t"))).toContain("D 0");
});

test("a cancel of the first statement while it waits fails the transaction", async () => {
  await using pooler = await scene();
  const holder = await holding(pooler);
  const client = await pooler.connect();
  await client.ask(query("begin"));
  client.send(query("select 1"), query("select 2"));
  client.session.cancel();
  expect(await client.answers()).toEqual(["E 57014", "Z E"]);
  await holder.ask(query("commit"));
  expect(await client.answers()).toEqual(["E 25P02", "Z E"]);
  expect(await client.ask(query("rollback"))).toEqual(["C ROLLBACK", "Z I"]);
});

test("a drain has nothing to wait for, and refuses the first statement", async () => {
  await using pooler = await scene({ drainGraceMs: 60_000 });
  const { current } = pooler.gate.state;
  const [one, two] = [await pooler.connect(), await pooler.connect()];
  await one.ask(query("begin"));
  await two.ask(query("begin"));
  await pooler.gate.setTarget({ ...current, status: "NOT_SERVING" }, undefined);
  expect(await one.ask(query("select 1"))).toEqual(["E MTF01", "Z E"]);
  expect(await one.ask(query("rollback"))).toEqual(["C ROLLBACK", "Z I"]);
  expect(await one.ask(query("begin"))).toEqual(["E MTF01", "Z I"]);
  await pooler.gate.setTarget(current, undefined);
  expect(await two.ask(query("select 1"))).toEqual(["T", "D 1", "C SELECT 1", "Z T"]);
  expect(await two.ask(query("commit"))).toEqual(["C COMMIT", "Z I"]);
});

test("the first statement finds what the pooler serves by then", async () => {
  await sql("create table t (x int)");
  await using pooler = await scene();
  const { current } = pooler.gate.state;
  const client = await pooler.connect();
  await client.ask(query("begin"));
  await pooler.gate.setTarget({ ...current, status: "SERVING_RDONLY" }, undefined);
  expect(await client.ask(query("insert into t values (1)"))).toEqual(["E 25006", "Z E"]);
  await client.ask(query("rollback"));
  await client.ask(query("begin"));
  expect(await client.ask(query("set transaction read write"))).toEqual(["E 25006", "Z E"]);
  expect(await client.ask(query("insert into t values (1)"))).toEqual(["E 25P02", "Z E"]);
  expect(await client.ask(query("rollback"))).toEqual(["C ROLLBACK", "Z I"]);
});

test("a client that is to leave at the end of its transaction leaves before the first statement", async () => {
  await using pooler = await scene();
  const client = await pooler.connect();
  await client.ask(query("begin"));
  await client.session.end("boundary");
  expect(client.messages.at(-1)).toBe("FATAL 57P01");
});

test("settings that cannot be set any more fail the transaction, and not only the statement", async () => {
  await postgres.sql("create role passing_by");
  await using pooler = await scene({ capacity: 2 });
  const client = await pooler.connect();
  await client.ask(query("set role passing_by"));
  await client.ask(query("begin"));
  await postgres.sql("drop role passing_by");
  expect(await client.ask(query("create table t (x int)"))).toEqual(["E 22023", "Z E"]);
  expect(await client.ask(query("create table t (x int)"))).toEqual(["E 22023", "Z E"]);
  expect(await client.ask(query("rollback"))).toEqual(["C ROLLBACK", "Z I"]);
  expect(await sql("select 1 from pg_class where relname = 't'")).toEqual([]);
});

test("a connection that is lost before the first statement is sent costs nothing", async () => {
  await using pooler = await scene();
  const client = await pooler.connect();
  await client.ask(query("select 1"));
  await client.ask(query("begin"));
  await sql(
    "select pg_terminate_backend(pid, 1000) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
  );
  expect(await client.ask(query("select 1"))).toEqual(["T", "D 1", "C SELECT 1", "Z T"]);
  expect(await client.ask(query("commit"))).toEqual(["C COMMIT", "Z I"]);
});

test("LISTEN in it is part of it", async () => {
  await using pooler = await scene({ capacity: 2 });
  const client = await pooler.connect();
  expect(await client.ask([query("begin"), query("listen news")], 2)).toEqual([
    ...BEGUN,
    "C LISTEN",
    "Z T",
  ]);
  await client.ask(query("rollback"));
  await client.ask(query("notify news, 'nobody listens'"));
  expect(client.messages.filter((message) => message.startsWith("A"))).toEqual([]);
});

test("it can be switched off", async () => {
  await using pooler = await scene({ holdsBegin: false });
  const client = await pooler.connect();
  expect(await client.ask(query("begin"))).toEqual(BEGUN);
  expect(client.session.describe()).toMatchObject({ type: "pinned", reason: "Transaction" });
  expect(await client.ask(query("commit"))).toEqual(["C COMMIT", "Z I"]);
});

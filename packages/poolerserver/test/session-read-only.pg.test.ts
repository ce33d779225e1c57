import type { TestPostgres, TemporaryDatabase } from "@multipooler/test-postgres";
import { expect, test } from "vitest";
import { bind, execute, extended, flush, parse, query, sync } from "@multipooler/conversations";
import { SessionScene } from "./session-scene.ts";
import { useDatabases } from "./test-server.ts";

const NAME = "default_transaction_read_only";
const WRITE = "insert into ledger values ('x')";
const SNEAK = `select sneak('${NAME}')`;

let postgres: TestPostgres;
let database: TemporaryDatabase;

useDatabases((started, created) => {
  postgres = started;
  database = created;
});

async function sql(text: string): Promise<Record<string, unknown>[]> {
  return await postgres.sql(text, { database: database.name });
}

async function readOnlyScene(): Promise<SessionScene> {
  await sql(`create table ledger (entry text);
    create function sneak(setting text) returns text language sql
      as $$ select set_config(setting, 'off', false) $$`);
  const pooler = await SessionScene.open({ postgres, database: database.name });
  const { current } = pooler.gate.state;
  await pooler.gate.setTarget({ ...current, status: "SERVING_RDONLY" }, undefined);
  return pooler;
}

test("a session writes nothing while the pooler serves read-only, and writes afterwards", async () => {
  await using pooler = await readOnlyScene();
  const { current } = pooler.gate.state;
  const client = await pooler.connect();
  expect(await client.ask(query(WRITE))).toEqual(["E 25006", "Z I"]);
  expect(await client.ask(extended(WRITE))).toContain("E 25006");
  await pooler.gate.setTarget({ ...current, status: "SERVING" }, undefined);
  expect(await client.ask(query(WRITE))).toEqual(["C INSERT 0 1", "Z I"]);
  expect(await sql("select entry from ledger")).toHaveLength(1);
});

test.for([
  [NAME, "off"],
  ["Default_Transaction_READ_ONLY", "OFF"],
  [NAME, "0"],
  ["transaction_read_only", "false"],
] as const)("the start-up setting %s=%s is refused in read-only mode", async ([name, value]) => {
  await using pooler = await readOnlyScene();
  await expect(pooler.connect({ DateStyle: "German", [name]: value })).rejects.toMatchObject({
    code: "READ_ONLY",
    diagnostic: { code: "25006" },
  });
  expect(pooler.gate.counts).toEqual({ single: 0, reserved: 0 });
  const client = await pooler.connect({ DateStyle: "German", [name]: "on" });
  expect(await client.ask(query(WRITE))).toEqual(["E 25006", "Z I"]);
  expect(await sql("select entry from ledger")).toEqual([]);
});

test.for(["Options", "REPLICATION"])("the start-up parameter %s is not offered", async (name) => {
  await using pooler = await readOnlyScene();
  await expect(pooler.connect({ [name]: `-c ${NAME}=off` })).rejects.toMatchObject({
    code: "UNIMPLEMENTED",
  });
});

test.for([
  ["a query", [query(SNEAK)], 1],
  ["a group", [extended(SNEAK)], 1],
  ["a group with Flush", [parse(SNEAK), bind(), execute(), flush, sync], 1],
  ["a transaction", [query("begin"), query(SNEAK)], 2],
] as const)("%s that makes its session writable is its last", async ([, messages, answers]) => {
  await using pooler = await readOnlyScene();
  const client = await pooler.connect();
  client.send(...messages.flat(), query("commit"), query(WRITE));
  await client.answers(answers);
  await client.until(() => client.isEnded);
  expect(client.messages.at(-1)).toBe("FATAL 25006");
  expect(client.endReason).toMatchObject({ code: "READ_ONLY" });
  // The next one that gets the backend cannot write either.
  const next = await pooler.connect();
  expect(await next.ask(query(WRITE))).toEqual(["E 25006", "Z I"]);
  expect(await sql("select entry from ledger")).toEqual([]);
  // Its backend may still be being cleaned.
  await client.session.end("now");
  expect(pooler.gate.counts).toEqual({ single: 0, reserved: 0 });
});

test("a standby that was promoted keeps nobody's writable session", async () => {
  await using pooler = await readOnlyScene();
  const { current } = pooler.gate.state;
  await pooler.gate.setTarget({ ...current, inRecovery: true }, undefined);
  const client = await pooler.connect();
  // The server of this test is a primary: a standby would refuse the write.
  expect(await client.ask(query("discard all"))).toEqual(["C DISCARD ALL", "Z I"]);
  expect(await client.ask(query(`set ${NAME} = off`))).toContain("C SET");
  expect(await client.ask(query("select pg_promote()"))).toEqual(["E 25006", "Z I"]);
  await pooler.gate.setTarget({ ...current, inRecovery: false }, undefined);
  expect(await client.ask(query(WRITE))).toEqual(["E 25006", "Z I"]);
  expect(await client.ask(query("discard all"))).toEqual(["E 25006", "Z I"]);
  expect(await sql("select entry from ledger")).toEqual([]);
});

test("nothing runs behind a COMMIT in one group", async () => {
  await using pooler = await readOnlyScene();
  const client = await pooler.connect();
  const group = [SNEAK, "commit", WRITE].flatMap((text) => [parse(text), bind(), execute()]);
  client.send(...group, sync);
  await client.answers(1);
  expect(client.messages.join()).toContain("E 25006");
  expect(await sql("select entry from ledger")).toEqual([]);
});

test("a session that is opened while the pooler becomes read-only gets no writable one", async () => {
  await using pooler = await readOnlyScene();
  const { current } = pooler.gate.state;
  await pooler.gate.setTarget({ ...current, status: "SERVING" }, undefined);
  const idle = await pooler.connect();
  await idle.ask(query("select 1"));
  const opening = pooler.connect({ DateStyle: "German" });
  await pooler.gate.setTarget(current, undefined);
  expect(await (await opening).ask(query(WRITE))).toEqual(["E 25006", "Z I"]);
  expect(await idle.ask(query(WRITE))).toEqual(["E 25006", "Z I"]);
});

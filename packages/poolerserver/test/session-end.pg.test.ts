import {
  bind,
  describe,
  execute,
  flush,
  message,
  parse,
  query,
  sync,
  terminate,
  unknownMessage,
} from "@multipooler/conversations";
import { beforeEach, expect, test } from "vitest";
import { useSessionStage } from "./session-stage.ts";

const stage = useSessionStage({ capacity: 1 });
const { scene } = stage;

beforeEach(async () => {
  await stage.postgres.sql("create table t (a int)", { database: stage.database.name });
});

async function rows(): Promise<number> {
  const found = await stage.postgres.sql("select a from t", { database: stage.database.name });
  return found.length;
}

test.for(["savepoint s", "release s"])(
  "a statement that PostgreSQL ends the connection for ends the session: EXECUTE of %s",
  async (sql) => {
    await using pooler = await scene();
    const client = await pooler.connect();
    await client.ask([parse(sql, "c"), bind([], { statement: "c" }), sync]);
    client.send(query("execute c"), query("select 1"));
    await client.until(() => client.isEnded);
    expect(client.messages.slice(3)).toEqual(["FATAL XX000"]);
    const other = await pooler.connect();
    expect(await other.ask(query("select 2"))).toContain("D 2");
    await other.session.end("now");
  },
);

test("a client whose server process was ended by somebody goes on with another one", async () => {
  await using pooler = await scene();
  const client = await pooler.connect();
  const suicide = "perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(60);";
  const ending = query(`do $$ begin ${suicide} end $$`);
  expect(await client.ask(ending)).toEqual(["E 57P01", "Z I"]);
  expect(await client.ask(query("select 1"))).toContain("D 1");
  await client.session.end("now");
});

const commit = [parse("commit"), bind(), execute()];
const opening = query("begin; insert into t values (1)");

test.for([
  { end: "Terminate", last: [terminate], word: [] },
  { end: "Terminate behind a Flush", last: [flush, terminate], word: [] },
  { end: "an unknown message", last: [unknownMessage()], word: ["FATAL 08P01"] },
  { end: "a password", last: [message("p", "secret\0")], word: ["FATAL 08P01"] },
  { end: "a length that cannot be", last: [Buffer.from("Q\0\0\0\x03")], word: ["FATAL 08P01"] },
])("messages without a Sync are run and answered before $end", async ({ last, word }) => {
  await using pooler = await scene();
  const client = await pooler.connect();
  await client.ask(opening);
  client.send(...commit, ...last);
  await client.until(() => client.isEnded);
  expect(client.messages.slice(3)).toEqual(["1", "2", "C COMMIT", ...word]);
  await client.session.end("now");
  expect(await rows()).toBe(1);
});

test("messages that were sent with a Flush are answered before the end comes", async () => {
  await using pooler = await scene();
  const client = await pooler.connect();
  await client.ask(opening);
  client.send(...commit, flush, parse("select 7"), describe("S"), bind(), execute());
  client.send(terminate);
  await client.until(() => client.isEnded);
  expect(client.messages.slice(3)).toEqual([
    "1",
    "2",
    "C COMMIT",
    "1",
    "t",
    "T",
    "2",
    "D 7",
    "C SELECT 1",
  ]);
  await client.session.end("now");
  expect(await rows()).toBe(1);
});

test("an error before the end is answered, and takes back what has no Sync", async () => {
  await using pooler = await scene();
  const client = await pooler.connect();
  const insert = [parse("insert into t values (2)"), bind(), execute()];
  client.send(...insert, parse("selec"), parse("select 1"), unknownMessage());
  await client.until(() => client.isEnded);
  expect(client.messages).toEqual(["1", "2", "C INSERT 0 1", "E 42601", "FATAL 08P01"]);
  await client.session.end("now");
  expect(await rows()).toBe(0);
});

test("an unknown message ends a session that skips to a Sync", async () => {
  await using pooler = await scene();
  const client = await pooler.connect();
  client.send(parse("selec"), flush);
  await client.until(() => client.messages.length > 0);
  client.send(parse("select 1"), unknownMessage());
  await client.until(() => client.isEnded);
  expect(client.messages).toEqual(["E 42601", "FATAL 08P01"]);
});

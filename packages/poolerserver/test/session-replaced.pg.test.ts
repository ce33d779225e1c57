import { bind, execute, parse, query, sync } from "@multipooler/conversations";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { expect, test } from "vitest";
import type { MultiPooler } from "../src/multi-pooler.ts";
import { CountingShare } from "./counting-share.ts";
import { PRIMARY, STOPPED, databaseOf, newPooler, servingPooler } from "./pooler-fixture.ts";
import { TestClient } from "./session-client.ts";
import { failureOf } from "./settled.ts";
import { useServer } from "./test-server.ts";

let postgres: TestPostgres;

useServer((started) => {
  postgres = started;
});

async function connect(pooler: MultiPooler, database = ""): Promise<TestClient> {
  const client = new TestClient();
  const caller = { user: "", database, settings: new Map(), origin: "a client" };
  client.attach(await pooler.getExecutor().openSession(caller, client));
  return client;
}

/** A server that the pooler may go on with. */
async function anotherServer(): Promise<TestPostgres> {
  return await startPostgres({ settings: { work_mem: "5MB" } });
}

test("a session goes on with another handle, with its settings and statements", async () => {
  await using second = await anotherServer();
  const [before, after] = [new CountingShare(10), new CountingShare(10)];
  await using pooler = await servingPooler(databaseOf(postgres, { share: before }));
  const client = await connect(pooler);
  await client.ask(query("set application_name = 'mine'; set lock_timeout = 4321"));
  await client.ask([parse("select current_setting('work_mem')", "s"), sync]);
  expect(await client.ask([bind([], { statement: "s" }), execute(), sync])).toContain("D 4MB");

  await pooler.setServingType(STOPPED);
  await pooler.replaceDatabase(databaseOf(second, { share: after }));
  expect(await client.ask(query("select 1"))).toEqual(["E MTF01", "Z I"]);
  await pooler.open();
  expect(await client.ask(query("select 1"))).toEqual(["E MTF01", "Z I"]);
  await pooler.setServingType(PRIMARY);
  expect(await client.ask([bind([], { statement: "s" }), execute(), sync])).toContain("D 5MB");
  expect(await client.ask(query("show lock_timeout"))).toContain("D 4321ms");
  expect(await client.ask(query("show application_name"))).toContain("D mine");
  await expect.poll(() => before.used).toBe(0);
  expect(after.used).toBeGreaterThan(0);
  expect(before.isWatched).toBe(false);
  await pooler.close();
  expect(client.messages.at(-1)).toBe("FATAL 57P01");
  expect([after.used, after.isWatched]).toEqual([0, false]);
});

test("what still runs when the handle is replaced is cut", async () => {
  await using second = await anotherServer();
  const share = new CountingShare(10);
  await using pooler = await servingPooler(databaseOf(postgres, { share }), {
    drainGraceMs: 60_000,
  });
  const [idle, busy] = [await connect(pooler), await connect(pooler)];
  await busy.ask(query("begin; select 1"));
  const given = new AbortController();
  const draining = failureOf(pooler.setServingType(STOPPED, { signal: given.signal }));
  given.abort();
  await draining;
  await pooler.replaceDatabase(databaseOf(second));
  await expect.poll(() => share.used).toBe(0);
  expect(busy.isEnded).toBe(true);
  await pooler.open();
  await pooler.setServingType(PRIMARY);
  expect(await idle.ask(query("show work_mem"))).toContain("D 5MB");
  await idle.session.end("now");
});

test("a server that cannot be reached keeps the sessions waiting for the next one", async () => {
  await using second = await anotherServer();
  await using pooler = await servingPooler(databaseOf(postgres));
  const client = await connect(pooler);
  await pooler.setServingType(STOPPED);
  await second.stop();
  await pooler.replaceDatabase(databaseOf(second));
  expect(await failureOf(pooler.open())).toMatchObject({ code: "PRE_EXECUTION_UNAVAILABLE" });
  expect(await failureOf(pooler.setServingType(PRIMARY))).toMatchObject({ code: "NOT_OPEN" });
  expect(await client.ask(query("select 1"))).toEqual(["E MTF01", "Z I"]);
  await pooler.replaceDatabase(databaseOf(postgres));
  await pooler.open();
  await pooler.setServingType(PRIMARY);
  expect(await client.ask(query("select 1"))).toContain("D 1");
  await client.session.end("now");
});

test("a session in another database goes on too, and ends where that is missing", async () => {
  await using second = await anotherServer();
  await using database = await postgres.createDatabase();
  await using pooler = await servingPooler(databaseOf(postgres), { databases: ["*"] });
  const client = await connect(pooler, database.name);
  expect(await client.ask(query("select current_database()"))).toContain(`D ${database.name}`);
  for (const [server, lasts] of [
    [postgres, true],
    [second, false],
  ] as const) {
    await pooler.setServingType(STOPPED);
    await pooler.replaceDatabase(databaseOf(server));
    await pooler.open();
    await pooler.setServingType(PRIMARY);
    if (lasts) {
      expect(await client.ask(query("select current_database()"))).toContain(`D ${database.name}`);
    } else {
      await expect.poll(() => client.isEnded, { timeout: 20_000 }).toBe(true);
    }
  }
});

test("a handle is replaced only where there is one, and by one of the same database", async () => {
  await using pooler = newPooler();
  const handle = databaseOf(postgres);
  expect(await failureOf(pooler.replaceDatabase(handle))).toMatchObject({
    code: "NOT_INITIALIZED",
  });
  pooler.initDBConfig(databaseOf(postgres, { port: 1 }));
  await pooler.replaceDatabase(handle);
  await pooler.open();
  await pooler.setServingType(PRIMARY);
  expect(await failureOf(pooler.replaceDatabase(handle))).toMatchObject({
    code: "INVALID_ARGUMENT",
  });
  await pooler.setServingType(STOPPED);
  const other = databaseOf(postgres, { database: "template1" });
  expect(await failureOf(pooler.replaceDatabase(other))).toMatchObject({
    code: "INVALID_ARGUMENT",
    message: expect.stringContaining('database "template1"'),
  });
});

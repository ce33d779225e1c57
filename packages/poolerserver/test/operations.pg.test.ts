import { ServingStatus } from "@multipooler/controller-api";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { expect, test } from "vitest";
import { applicationName } from "../src/pool/postgres-dial.ts";
import { CountingShare } from "./counting-share.ts";
import {
  APPLICATION_NAME,
  PRIMARY,
  STOPPED,
  databaseOf,
  query,
  request,
  servingPooler,
  sessionCount,
} from "./pooler-fixture.ts";
import { RecordingSink } from "./recording-sink.ts";
import { failureOf } from "./settled.ts";
import { silentLogger } from "./silent-logger.ts";
import { useServer } from "./test-server.ts";

let postgres: TestPostgres;

useServer((started) => {
  postgres = started;
});

test("every session names the pooler and its pool", async () => {
  await using pooler = await servingPooler(databaseOf(postgres));
  expect((await query(pooler, "show application_name")).values).toEqual([APPLICATION_NAME]);
  await query(pooler, "set application_name = 'mine'");
  expect((await query(pooler, "show application_name")).values).toEqual([APPLICATION_NAME]);
});

test("a long name is cut so that the pool's stays", () => {
  expect(applicationName("multipooler/zone1-1", "regular")).toBe("multipooler/zone1-1 regular");
  expect(applicationName("é".repeat(100), "regular")).toBe(`${"?".repeat(55)} regular`);
});

test.each([
  ["drained", { ...PRIMARY, status: ServingStatus.Drained }],
  ["not serving", STOPPED],
])("a pooler that is %s lets go of its database", async (_, target) => {
  await postgres.sql("create database app");
  const pooler = await servingPooler(databaseOf(postgres, { database: "app" }), { capacity: 3 });
  await Promise.all(Array.from({ length: 3 }, () => query(pooler, "select pg_sleep(0.05)")));
  await pooler.setServingType(target);
  await untilNoSession("app");
  await pooler.isHealthy();
  await untilNoSession("app");
  await postgres.sql("alter database app rename to moved");
  await postgres.sql("create database copy template moved");
  await postgres.sql("alter database moved rename to app");
  await postgres.sql("drop database copy");
  await pooler.setServingType(PRIMARY);
  expect((await query(pooler, "select 1")).values).toEqual(["1"]);
  await pooler.close();
  await postgres.sql("drop database app");
});

test("the first refused dial ends the sessions that a smart shutdown waits for", async () => {
  await using leaving = await startPostgres();
  const database = databaseOf(leaving);
  await using pooler = await servingPooler(database, { capacity: 3 });
  await Promise.all([query(pooler, "select pg_sleep(0.1)"), query(pooler, "select pg_sleep(0.1)")]);
  const stopped = leaving.stop("smart");
  await untilRefused(leaving);
  // Two get the idle sessions, the third one needs a session that the server does not open any more.
  const running = ["a", "b"].map((name) => query(pooler, `select '${name}' from pg_sleep(0.2)`));
  expect(await failureOf(query(pooler, "select 1"))).toMatchObject({
    code: "PRE_EXECUTION_UNAVAILABLE",
    diagnostic: { code: "57P03" },
  });
  expect((await Promise.all(running)).map(({ values }) => values)).toEqual([["a"], ["b"]]);
  await stopped;
  expect(database.suspicions[0]).toMatchObject({ diagnostic: { code: "57P03" } });
});

test("a COPY from or to the client is refused before anything is sent", async () => {
  await using pooler = await servingPooler(databaseOf(postgres));
  await query(pooler, "create table copied (a int)");
  for (const sql of [
    "insert into copied values (1); copy copied to stdout; insert into copied values (2)",
    "begin; insert into copied values (1); commit; copy copied from stdin",
  ]) {
    expect(await failureOf(query(pooler, sql))).toMatchObject({
      code: "UNIMPLEMENTED",
      diagnostic: { code: "0A000" },
    });
  }
  expect((await query(pooler, "select count(*)::text from copied")).values).toEqual(["0"]);
});

test("a statement with parameters runs as one of the extended protocol", async () => {
  await using pooler = await servingPooler(databaseOf(postgres));
  const sink = new RecordingSink();
  const statement = {
    type: "prepared",
    sql: "select $1::int + $2::int, $3::text is null",
    parameterTypes: [],
    parameters: [Buffer.from("40"), Buffer.from("2"), null],
    parameterFormats: [],
    resultFormats: [],
    maxRows: 0,
    describe: true,
  } as const;
  await pooler.getExecutor().streamExecute(request("", { statement }), sink);
  expect(sink.values).toEqual(["42"]);
  expect(sink.events.map(({ type }) => type)).toEqual(["fields", "rows", "complete"]);
});

test("the flood of one client costs another the wait for one statement, not for all of them", async () => {
  await using pooler = await servingPooler(databaseOf(postgres), { capacity: 1 });
  const run = (origin: string, sql: string): Promise<unknown> => {
    const caller = { user: "", settings: new Map<string, string>(), origin };
    const sink = new RecordingSink();
    return pooler.getExecutor().streamExecute(request(sql, { caller }), sink);
  };
  let answered = 0;
  const flood = Array.from({ length: 3000 }, async () => {
    await run("flood", "select 1");
    answered += 1;
  });
  await run("other", "select 1");
  expect(answered).toBeLessThan(10);
  await Promise.all(flood);
});

test("what waits for a session keeps a bounded amount of memory", async () => {
  await using pooler = await servingPooler(databaseOf(postgres), {
    capacity: 1,
    maxQueueBytes: 32 * 1024 * 1024,
  });
  const busy = query(pooler, "select pg_sleep(0.5)");
  const long = `select length('${"x".repeat(10_000_000)}')::text`;
  const waiting = Array.from({ length: 3 }, () => query(pooler, long));
  expect(await failureOf(query(pooler, long))).toMatchObject({
    code: "POOL_EXHAUSTED",
    message: expect.stringMatching(
      /3 requests keep 300\d+ bytes .*maxQueueBytes, which is 33554432/,
    ),
  });
  await busy;
  for (const { values } of await Promise.all(waiting)) {
    expect(values).toEqual(["10000000"]);
  }
});

test("requests wait for a place in the share, and get it when it comes free", async () => {
  const share = new CountingShare(2);
  await using pooler = await servingPooler(databaseOf(postgres, { share }));
  const place = share.tryTake();
  const busy = query(pooler, "select pg_sleep(30)", { signal: AbortSignal.timeout(2000) });
  const waiting = query(pooler, "select 'served'");
  expect(share.used).toBe(2);
  place?.release();
  expect((await waiting).values).toEqual(["served"]);
  await failureOf(busy);
});

test("a client that ends its own backend in a loop is one line, and later their number", async () => {
  const lines: { message: string; fields: object }[] = [];
  const pooler = await servingPooler(databaseOf(postgres), {
    capacity: 1,
    logger: { ...silentLogger, warn: (fields, message) => lines.push({ message, fields }) },
  });
  for (let round = 0; round < 10; round += 1) {
    const lost = await failureOf(query(pooler, "select pg_terminate_backend(pg_backend_pid())"));
    expect(lost).toMatchObject({ code: "CONNECTION_LOST" });
  }
  const message = "connection to the database lost";
  expect(lines).toEqual([{ message, fields: { err: expect.any(Error) } }]);
  await pooler.close();
  expect(lines.slice(1)).toEqual([{ message, fields: { err: expect.any(Error), repeated: 9 } }]);
});

/** Waits until the pooler has no session on the database. */
async function untilNoSession(database: string): Promise<void> {
  while ((await sessionCount(postgres, database)) > 0) {
    // Ending a session takes the server a moment.
  }
}

/** Waits until the server takes no new session. */
async function untilRefused(server: TestPostgres): Promise<void> {
  for (;;) {
    try {
      await server.sql("select 1");
    } catch {
      return;
    }
  }
}

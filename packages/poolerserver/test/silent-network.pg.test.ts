import { TcpProxy } from "@multipooler/tcp-proxy";
import type { TestPostgres } from "@multipooler/test-postgres";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { MultiPooler } from "../src/multi-pooler.ts";
import { databaseOf, query, servingPooler, sessionCount } from "./pooler-fixture.ts";
import { failureOf } from "./settled.ts";
import { ShiftingClock } from "./shifting-clock.ts";
import { useServer } from "./test-server.ts";

const SESSIONS = 5;

let postgres: TestPostgres;
let proxy: TcpProxy;
let clock: ShiftingClock;

useServer((started) => {
  postgres = started;
});

beforeEach(async () => {
  proxy = await TcpProxy.before(postgres.port);
  clock = new ShiftingClock();
});

afterEach(async () => {
  await proxy[Symbol.asyncDispose]();
});

/** A pooler whose sessions go through the proxy. */
async function pooled(database = databaseOf(postgres, { port: proxy.port })): Promise<MultiPooler> {
  const pooler = await servingPooler(database, { capacity: SESSIONS, clock });
  const use = Array.from({ length: SESSIONS }, () => query(pooler, "select pg_sleep(0.05)"));
  await Promise.all(use);
  return pooler;
}

test("sessions that fell silent while they were idle for long are replaced before they are used", async () => {
  await using pooler = await pooled();
  proxy.swallow();
  clock.shift(5000);
  const startedAt = performance.now();
  const served = await Promise.all(
    Array.from({ length: SESSIONS }, () => query(pooler, "select 'served'")),
  );
  expect(served.map(({ values }) => values[0])).toEqual(Array(SESSIONS).fill("served"));
  expect(performance.now() - startedAt).toBeLessThan(3000);
});

test("a statement on a session that fell silent ends, and the next one is served at once", async () => {
  const database = databaseOf(postgres, { port: proxy.port });
  await using pooler = await pooled(database);
  proxy.swallow();
  const startedAt = performance.now();
  expect(await failureOf(query(pooler, "select 1"))).toMatchObject({
    code: "CONNECTION_LOST",
    message: expect.stringMatching(/silent/),
    diagnostic: { code: "08006" },
  });
  expect(performance.now() - startedAt).toBeLessThan(5000);
  expect(database.suspicions).toMatchObject([{ code: "CONNECTION_LOST" }]);
  const suspectedAt = performance.now();
  expect((await query(pooler, "select 'served'")).values).toEqual(["served"]);
  expect(performance.now() - suspectedAt).toBeLessThan(2000);
  await pooler.isHealthy();
  // The server is told of the sessions whose end it could not see.
  while ((await sessionCount(postgres, "postgres")) > 1) {
    expect(performance.now() - suspectedAt).toBeLessThan(10_000);
  }
});

test("a statement whose answer got lost ends with an unknown outcome", async () => {
  await using pooler = await pooled();
  const running = failureOf(query(pooler, "select pg_sleep(0.3)"));
  await untilRunning("select pg_sleep(0.3)");
  proxy.swallow();
  expect(await running).toMatchObject({ code: "CONNECTION_LOST", diagnostic: { code: "08006" } });
});

test("a statement may take its time while the server works on it, however silent it is", async () => {
  await using pooler = await pooled();
  expect((await query(pooler, "select 'done' from pg_sleep(4)")).values).toEqual(["done"]);
});

test("a reader that stops is not taken for a silent network", async () => {
  await using pooler = await pooled();
  const goOn = Promise.withResolvers<void>();
  let rows = 0;
  const sql = "select repeat('x', 1000) from generate_series(1, 20000)";
  const reading = pooler.getExecutor().streamExecute(
    {
      caller: { user: "", settings: new Map(), origin: "" },
      place: { type: "any" },
      statement: { type: "simple", sql },
    },
    {
      write(event) {
        rows += event.type === "rows" ? event.rowCount : 0;
        return goOn.promise;
      },
    },
  );
  // Longer than the silence and the look that would find it.
  await query(pooler, "select pg_sleep(3.5)");
  goOn.resolve();
  await reading;
  expect(rows).toBe(20_000);
});

/** Waits until the server runs `sql`. */
async function untilRunning(sql: string): Promise<void> {
  for (;;) {
    const rows = await postgres.sql(
      "select 1 from pg_stat_activity where state = 'active' and query = $1",
      { values: [sql] },
    );
    if (rows.length > 0) {
      return;
    }
  }
}

import type { ResultSink } from "@multipooler/query-service";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { beforeEach, expect, test } from "vitest";
import { CountingShare } from "./counting-share.ts";
import { databaseOf, query, request, servingPooler } from "./pooler-fixture.ts";
import { failureOf } from "./settled.ts";
import { useServer } from "./test-server.ts";

let postgres: TestPostgres;

useServer((started) => {
  postgres = started;
});

beforeEach(async () => {
  await postgres.start();
});

test("kill -9 of the server ends the query with a typed error, and later ones are served", async () => {
  const share = new CountingShare(10);
  await using pooler = await servingPooler(databaseOf(postgres, { share }), { capacity: 3 });
  let rows = 0;
  const started = Promise.withResolvers<void>();
  const sink: ResultSink = {
    write(event) {
      if (event.type === "rows") {
        rows += event.rowCount;
      }
      if (rows > 0) {
        started.resolve();
      }
      return undefined;
    },
  };
  const running = failureOf(
    pooler.getExecutor().streamExecute(request("select generate_series(1, 100000000)"), sink),
  );
  await started.promise;
  await postgres.kill();
  expect(await running).toMatchObject({
    name: "PoolerError",
    code: "CONNECTION_LOST",
    diagnostic: { code: "08006" },
  });
  expect(await failureOf(query(pooler, "select 1"))).toMatchObject({
    code: "PRE_EXECUTION_UNAVAILABLE",
    diagnostic: { code: "57P03" },
  });
  expect(await failureOf(pooler.isHealthy())).toMatchObject({
    code: "PRE_EXECUTION_UNAVAILABLE",
  });
  expect(share.used).toBe(0);
  await postgres.start();
  expect((await query(pooler, "select 'back'")).values).toEqual(["back"]);
  await pooler.isHealthy();
});

test("a restart while connections are idle goes unnoticed by the next query", async () => {
  await using pooler = await servingPooler(databaseOf(postgres), { capacity: 5 });
  await Promise.all(Array.from({ length: 5 }, () => query(pooler, "select pg_sleep(0.05)")));
  await postgres.stop();
  await postgres.start();
  expect((await query(pooler, "select 'back'")).values).toEqual(["back"]);
});

test("an administrator who ends a session is quoted", async () => {
  await using pooler = await servingPooler(databaseOf(postgres), { capacity: 1 });
  const pid = (await query(pooler, "select pg_backend_pid()")).values[0];
  const running = failureOf(query(pooler, "select pg_sleep(60)"));
  await postgres.sql("select pg_terminate_backend($1::int, 5000)", { values: [pid] });
  expect(await running).toMatchObject({
    code: "CONNECTION_LOST",
    message: expect.not.stringMatching(/(the connection was lost.*){2}/),
    diagnostic: { severity: "FATAL", code: "57P01" },
  });
  expect((await query(pooler, "select 1")).values).toEqual(["1"]);
});

test("a server that does not answer is unhealthy after 1 s, or at the deadline", async () => {
  await using pooler = await servingPooler(databaseOf(postgres), { capacity: 1 });
  const pid = Number((await query(pooler, "select pg_backend_pid()")).values[0]);
  process.kill(pid, "SIGSTOP");
  try {
    const signal = AbortSignal.timeout(100);
    const startedAt = performance.now();
    expect(await failureOf(pooler.isHealthy({ signal }))).toMatchObject({
      code: "DEADLINE_EXCEEDED",
    });
    expect(await failureOf(pooler.isHealthy())).toMatchObject({ code: "POOL_EXHAUSTED" });
    expect(performance.now() - startedAt).toBeLessThan(2000);
  } finally {
    process.kill(pid, "SIGCONT");
  }
});

test("a query that a silent server does not end is cut 2 s after its abort", async () => {
  await using pooler = await servingPooler(databaseOf(postgres), { capacity: 1 });
  const pid = Number((await query(pooler, "select pg_backend_pid()")).values[0]);
  process.kill(pid, "SIGSTOP");
  try {
    const signal = AbortSignal.timeout(100);
    const startedAt = performance.now();
    expect(await failureOf(query(pooler, "select 1", { signal }))).toMatchObject({
      code: "DEADLINE_EXCEEDED",
    });
    expect(performance.now() - startedAt).toBeGreaterThan(2000);
    expect((await query(pooler, "select 'others are served'")).values).toHaveLength(1);
  } finally {
    process.kill(pid, "SIGCONT");
  }
});

test("a server that is full makes those wait who need a new connection", async () => {
  await using small = await startPostgres({
    settings: { max_connections: "4", superuser_reserved_connections: "0" },
  });
  await using first = await servingPooler(databaseOf(small), { capacity: 3 });
  await Promise.all(Array.from({ length: 3 }, () => query(first, "select pg_sleep(0.05)")));
  const share = new CountingShare(50);
  const database = databaseOf(small, { share });
  const admin = (): Promise<[]> => Promise.resolve([]);
  await using second = await servingPooler({ ...database, admin }, { capacity: 3 });
  const busy = query(second, "select 'served' from pg_sleep(0.3)");
  const waiting = query(second, "select 'served too'");
  expect((await busy).values).toEqual(["served"]);
  expect((await waiting).values).toEqual(["served too"]);
  expect(share.fullCount).toBeGreaterThan(0);
  expect(database.suspicions).toMatchObject([{ diagnostic: { code: "53300" } }]);
});

test("close ends although the server is dead", async () => {
  const share = new CountingShare(10);
  const pooler = await servingPooler(databaseOf(postgres, { share }));
  const running = failureOf(query(pooler, "select pg_sleep(60)"));
  await postgres.kill();
  await pooler.close();
  expect(await running).toMatchObject({ code: "CONNECTION_LOST" });
  expect(share.used).toBe(0);
});

import type { ResultEvent, ResultSink } from "@multipooler/query-service";
import type { TestPostgres, TemporaryDatabase } from "@multipooler/test-postgres";
import { expect, test } from "vitest";
import { CountingShare } from "./counting-share.ts";
import { databaseOf, query, request, servingPooler, sessionCount } from "./pooler-fixture.ts";
import { RecordingSink } from "./recording-sink.ts";
import { failureOf } from "./settled.ts";
import { useDatabases } from "./test-server.ts";

let postgres: TestPostgres;
let database: TemporaryDatabase;

useDatabases(
  (started, created) => {
    postgres = started;
    database = created;
  },
  { settings: { max_connections: "40" } },
);

test("each statement of a query string has its result", async () => {
  await using pooler = await servingPooler(databaseOf(postgres, { database: database.name }));
  const sink = await query(
    pooler,
    "create table t (x int); insert into t values (1), (2); select x from t; ; select from t",
  );
  expect(sink.tags).toEqual(["CREATE TABLE", "INSERT 0 2", "SELECT 2", "SELECT 2"]);
  expect(sink.values).toEqual(["1", "2", null, null]);
  expect(sink.events.filter(({ type }) => type === "fields")).toHaveLength(2);
});

test("an empty query string yields one event", async () => {
  await using pooler = await servingPooler(databaseOf(postgres, { database: database.name }));
  const { events } = await query(pooler, " ; ");
  expect(events.map(({ type }) => type)).toEqual(["empty"]);
});

test("what came before an error in the middle of a stream is delivered", async () => {
  await using pooler = await servingPooler(databaseOf(postgres, { database: database.name }));
  const sink = new RecordingSink();
  const sql = "select 'before'; select 1000 / (500 - x) from generate_series(1, 1000) x; select 1";
  expect(await failureOf(query(pooler, sql, { sink }))).toMatchObject({
    name: "PoolerError",
    code: "DATABASE_ERROR",
    diagnostic: { kind: "error", severity: "ERROR", code: "22012", message: "division by zero" },
  });
  expect(sink.tags).toEqual(["SELECT 1"]);
  expect(sink.rowCount).toBe(500);
  expect((await query(pooler, "select 'after'")).values).toEqual(["after"]);
});

test("every field of an error arrives", async () => {
  await using pooler = await servingPooler(databaseOf(postgres, { database: database.name }));
  await query(pooler, "create table t (x int constraint positive check (x > 0))");
  expect(await failureOf(query(pooler, "insert into t values (-1)"))).toMatchObject({
    diagnostic: {
      code: "23514",
      schemaName: "public",
      tableName: "t",
      constraintName: "positive",
      detail: "Failing row contains (-1).",
    },
  });
});

test("200 queries at once share the connections of the capacity", async () => {
  const share = new CountingShare(50);
  const capacity = 7;
  await using pooler = await servingPooler(
    databaseOf(postgres, { database: database.name, share }),
    { capacity },
  );
  const pids = await Promise.all(
    Array.from({ length: 200 }, async () => {
      const { values } = await query(pooler, "select pg_backend_pid() from pg_sleep(0.005)");
      expect(share.used).toBeLessThanOrEqual(capacity);
      return values[0];
    }),
  );
  expect(new Set(pids).size).toBe(capacity);
  expect(await sessionCount(postgres, database.name)).toBe(capacity);
});

test("the share of the database counts, however large the capacity", async () => {
  const share = new CountingShare(3);
  await using pooler = await servingPooler(
    databaseOf(postgres, { database: database.name, share }),
    { capacity: 50 },
  );
  // Long enough that every connection that may be opened is.
  const busy = Array.from({ length: 50 }, () => query(pooler, "select pg_sleep(0.05)"));
  await Promise.all(busy);
  expect(await sessionCount(postgres, database.name)).toBe(3);
});

test("a reader that stops makes PostgreSQL wait, and memory does not grow meanwhile", async () => {
  await using pooler = await servingPooler(databaseOf(postgres, { database: database.name }));
  const goOn = Promise.withResolvers<void>();
  let received = 0;
  const sink: ResultSink = {
    write(event: ResultEvent) {
      if (event.type === "rows") {
        received += event.rowCount;
      }
      return goOn.promise;
    },
  };
  const before = process.memoryUsage().rss;
  // 286 MiB.
  const sql = "select repeat('x', 100000) from generate_series(1, 3000)";
  const reading = pooler.getExecutor().streamExecute(request(sql), sink);
  await untilActivity("wait_event = 'ClientWrite'");
  const receivedSoFar = received;
  for (let others = 0; others < 20; others += 1) {
    await query(pooler, "select repeat('x', 100000)");
  }
  expect(received).toBe(receivedSoFar);
  const grown = process.memoryUsage().rss - before;
  expect(grown / 1024 / 1024).toBeLessThan(50);
  goOn.resolve();
  await reading;
  expect(received).toBe(3000);
});

test("a cancelled query is cancelled in the database, and its connection serves on", async () => {
  await using pooler = await servingPooler(databaseOf(postgres, { database: database.name }), {
    capacity: 1,
  });
  const pid = (await query(pooler, "select pg_backend_pid()")).values[0];
  const controller = new AbortController();
  const sleeping = failureOf(query(pooler, "select pg_sleep(60)", { signal: controller.signal }));
  await untilActivity("wait_event = 'PgSleep'");
  controller.abort();
  expect(await sleeping).toMatchObject({ code: "CANCELLED" });
  expect((await query(pooler, "select pg_backend_pid()")).values).toEqual([pid]);
});

test("a deadline that passes ends the query with DEADLINE_EXCEEDED", async () => {
  await using pooler = await servingPooler(databaseOf(postgres, { database: database.name }));
  const signal = AbortSignal.timeout(50);
  expect(await failureOf(query(pooler, "select pg_sleep(60)", { signal }))).toMatchObject({
    code: "DEADLINE_EXCEEDED",
  });
});

test("a late cancel never hits the next query", async () => {
  await using pooler = await servingPooler(databaseOf(postgres, { database: database.name }), {
    capacity: 1,
  });
  for (let round = 0; round < 50; round += 1) {
    const controller = new AbortController();
    const first = query(pooler, "select pg_sleep(0.002)", { signal: controller.signal });
    const second = query(pooler, "select count(*) from generate_series(1, 20000)");
    setTimeout(() => controller.abort(), round % 5);
    await first.catch(() => undefined);
    expect((await second).values).toEqual(["20000"]);
  }
});

test("an abort frees a query whose reader has stopped reading", async () => {
  await using pooler = await servingPooler(databaseOf(postgres, { database: database.name }), {
    capacity: 1,
  });
  const controller = new AbortController();
  const reading = Promise.withResolvers<void>();
  const stuck: ResultSink = {
    write: () => {
      reading.resolve();
      return new Promise(() => undefined);
    },
  };
  const sql = "select repeat('x', 1000), generate_series(1, 100000000)";
  const call = pooler
    .getExecutor()
    .streamExecute(request(sql), stuck, { signal: controller.signal });
  await reading.promise;
  controller.abort();
  expect(await failureOf(call)).toMatchObject({ code: "CANCELLED" });
  expect((await query(pooler, "select 1")).values).toEqual(["1"]);
});

test("a sink that fails ends the query in the database", async () => {
  await using pooler = await servingPooler(databaseOf(postgres, { database: database.name }), {
    capacity: 1,
  });
  const broken: ResultSink = { write: () => Promise.reject(new Error("the client is gone")) };
  const sql = "select generate_series(1, 100000000)";
  const call = pooler.getExecutor().streamExecute(request(sql), broken);
  expect(await failureOf(call)).toMatchObject({
    code: "CANCELLED",
    cause: { message: "the client is gone" },
  });
  expect((await query(pooler, "select 1")).values).toEqual(["1"]);
});

test("COPY is refused, and the connection serves on", async () => {
  await using pooler = await servingPooler(databaseOf(postgres, { database: database.name }), {
    capacity: 1,
  });
  await query(pooler, "create table t (x int)");
  const pid = (await query(pooler, "select pg_backend_pid()")).values[0];
  for (const sql of ["copy t from stdin", "copy (select 1) to stdout"]) {
    expect(await failureOf(query(pooler, sql))).toMatchObject({ code: "UNIMPLEMENTED" });
  }
  expect((await query(pooler, "select pg_backend_pid()")).values).toEqual([pid]);
});

test("a NUL character is refused as an argument", async () => {
  await using pooler = await servingPooler(databaseOf(postgres, { database: database.name }));
  expect(await failureOf(query(pooler, "select '\0'"))).toMatchObject({
    code: "INVALID_ARGUMENT",
  });
});

/** Waits until a session of the test's database is as `condition` says. */
async function untilActivity(condition: string): Promise<void> {
  for (;;) {
    const rows = await postgres.sql(
      `select 1 from pg_stat_activity where datname = $1 and ${condition}`,
      { values: [database.name] },
    );
    if (rows.length > 0) {
      return;
    }
  }
}

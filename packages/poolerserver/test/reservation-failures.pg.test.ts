import { ReservationReason } from "@multipooler/query-service";
import type { TestPostgres, TemporaryDatabase } from "@multipooler/test-postgres";
import { beforeEach, expect, test } from "vitest";
import type { MultiPooler } from "../src/multi-pooler.ts";
import type { MultiPoolerOptions } from "../src/multi-pooler-options.ts";
import { databaseOf, query, servingPooler, sessionCount, STOPPED } from "./pooler-fixture.ts";
import { ReservingClient } from "./reserving-client.ts";
import { failureOf } from "./settled.ts";
import { useDatabases } from "./test-server.ts";

const { Transaction, TempTable, SessionAdvisoryLock } = ReservationReason;
const LOST = { code: "RESERVATION_LOST", diagnostic: { code: "40001" } };

/** How long a session may take to get where a test waits for it. */
const PATIENCE = { timeout: 10_000, interval: 5 };

let postgres: TestPostgres;
let database: TemporaryDatabase;

useDatabases(
  (started, created) => {
    postgres = started;
    database = created;
  },
  { settings: { max_connections: "40" } },
);

beforeEach(async () => {
  await sql("create table t (x int)");
});

async function sql(text: string, values: readonly unknown[] = []): Promise<unknown[]> {
  return await postgres.sql(text, { database: database.name, values });
}

function serving(options: Partial<MultiPoolerOptions> = {}): Promise<MultiPooler> {
  return servingPooler(databaseOf(postgres, { database: database.name }), options);
}

/** Resolves when a session of the database does something that `condition` tells. */
async function until(condition: string): Promise<void> {
  const text = `select 1 from pg_stat_activity where datname = $1 and ${condition}`;
  const found = (): Promise<unknown[]> => postgres.sql(text, { values: [database.name] });
  await expect.poll(found, PATIENCE).not.toEqual([]);
}

async function untilGone(processId: number): Promise<void> {
  const text = "select 1 from pg_stat_activity where pid = $1";
  const found = (): Promise<unknown[]> => postgres.sql(text, { values: [processId] });
  await expect.poll(found, PATIENCE).toEqual([]);
}

const SLEEPING = "wait_event = 'PgSleep'";

test("a transaction whose backend was ended between two statements is told as terminated", async () => {
  await using pooler = await serving();
  const client = new ReservingClient(pooler);
  const { reservation } = await client.reserve("insert into t values (1)", Transaction);
  await sql("select pg_terminate_backend($1, 5000)", [reservation?.backendProcessId]);
  expect((await client.commit()).error).toMatchObject(LOST);
  expect((await query(pooler, "select count(*) from t")).values).toEqual(["0"]);
});

test("a statement that is ended with its backend says what PostgreSQL said", async () => {
  await using pooler = await serving();
  const client = new ReservingClient(pooler);
  const { reservation } = await client.reserve("insert into t values (1)", Transaction);
  const running = client.run("select pg_sleep(60)");
  await until(SLEEPING);
  await sql("select pg_terminate_backend($1)", [reservation?.backendProcessId]);
  expect(await running).toMatchObject({
    error: { diagnostic: { severity: "FATAL", code: "57P01" } },
    reservation: undefined,
  });
});

test("requests of one reservation run one after the other", async () => {
  await using pooler = await serving();
  const client = new ReservingClient(pooler);
  const { reservation } = await client.reserve("create temp sequence s", TempTable);
  const id = reservation?.id ?? 0n;
  const answers = await Promise.all(
    Array.from({ length: 20 }, () =>
      client.run("select nextval('s') from pg_sleep(0.005)", { id }),
    ),
  );
  expect(answers.map(({ values }) => values[0])).toEqual(
    Array.from({ length: 20 }, (_, index) => String(index + 1)),
  );
  await client.release();
});

test("a request that is cancelled while it waits for its turn does not run", async () => {
  await using pooler = await serving();
  const client = new ReservingClient(pooler);
  const { reservation } = await client.reserve("select 1", Transaction);
  const id = reservation?.id ?? 0n;
  const running = client.run("select pg_sleep(0.2)", { id });
  const controller = new AbortController();
  const waiting = client.run("insert into t values (1)", { id, signal: controller.signal });
  const last = client.run("select count(*) from t", { id });
  controller.abort();
  expect(await waiting).toMatchObject({ error: { code: "CANCELLED" }, reservation: { id } });
  expect(await running).toMatchObject({ error: undefined });
  expect((await last).values).toEqual(["0"]);
  await client.release();
});

test.each([
  ["a cancel", () => new DOMException("", "AbortError"), "CANCELLED"],
  ["a deadline", () => new DOMException("", "TimeoutError"), "DEADLINE_EXCEEDED"],
])("%s ends the statement and keeps its transaction", async (_, reason, code) => {
  await using pooler = await serving();
  const client = new ReservingClient(pooler);
  const { reservation } = await client.reserve("insert into t values (1)", Transaction);
  const controller = new AbortController();
  const running = client.run("select pg_sleep(60)", { signal: controller.signal });
  await until(SLEEPING);
  controller.abort(reason());
  expect(await running).toMatchObject({ error: { code }, reservation });
  expect((await client.run("select 1")).error?.diagnostic?.code).toBe("25P02");
  expect(await client.rollback()).toMatchObject({ tags: ["ROLLBACK"], reservation: undefined });
});

test("a cancel of the first statement keeps the transaction that was begun", async () => {
  await using pooler = await serving();
  const client = new ReservingClient(pooler);
  const controller = new AbortController();
  const running = client.reserve("select pg_sleep(60)", Transaction, { signal: controller.signal });
  await until(SLEEPING);
  controller.abort();
  expect(await running).toMatchObject({
    error: { code: "CANCELLED" },
    reservation: { reasons: Transaction },
  });
  await client.release();
});

test("a cancel of the first statement without a transaction closes the backend", async () => {
  await using pooler = await serving();
  const client = new ReservingClient(pooler);
  const controller = new AbortController();
  const text = "select pg_backend_pid(), pg_sleep(60)";
  const running = client.reserve(text, SessionAdvisoryLock, { signal: controller.signal });
  await until(SLEEPING);
  controller.abort();
  expect(await running).toMatchObject({ error: { code: "CANCELLED" }, reservation: undefined });
  expect(await sessionCount(postgres, database.name)).toBe(0);
});

test("a release cancels what runs, and refuses what waits", async () => {
  await using pooler = await serving();
  const client = new ReservingClient(pooler);
  const { reservation } = await client.reserve("insert into t values (1)", Transaction);
  const id = reservation?.id ?? 0n;
  const running = client.run("select pg_sleep(60)", { id });
  await until(SLEEPING);
  const waiting = client.run("select 1", { id });
  client.held = reservation;
  expect(await client.release()).toMatchObject({ error: undefined, reservation: undefined });
  expect((await running).error).toMatchObject({ code: "CANCELLED" });
  expect((await waiting).error).toMatchObject(LOST);
  expect((await query(pooler, "select count(*) from t")).values).toEqual(["0"]);
});

test("a drain waits for a transaction, and admits its COMMIT", async () => {
  await using pooler = await serving();
  const client = new ReservingClient(pooler);
  await client.reserve("insert into t values (1)", Transaction);
  const stopped = pooler.setServingType(STOPPED);
  const other = new ReservingClient(pooler);
  expect((await other.reserve("select 1", Transaction)).error).toMatchObject({
    code: "NOT_SERVING",
  });
  expect((await query(pooler, "select 1")).values).toEqual(["1"]);
  expect(await client.run("insert into t values (2)")).toMatchObject({ error: undefined });
  expect(await client.commit()).toMatchObject({ tags: ["COMMIT"], reservation: undefined });
  await stopped;
  expect(await sql("select count(*)::int as n from t")).toEqual([{ n: 2 }]);
});

test("a transaction that outlasts the grace is ended, and told as terminated", async () => {
  await using pooler = await serving({ drainGraceMs: 100 });
  const client = new ReservingClient(pooler);
  const { reservation } = await client.reserve("insert into t values (1)", Transaction);
  await pooler.setServingType(STOPPED);
  expect(
    await sql("select 1 from pg_stat_activity where pid = $1", [reservation?.backendProcessId]),
  ).toEqual([]);
  expect((await client.commit()).error).toMatchObject(LOST);
  expect(await sql("select count(*)::int as n from t")).toEqual([{ n: 0 }]);
});

test("a statement of a transaction that outlasts the grace can be repeated from the start", async () => {
  await using pooler = await serving({ drainGraceMs: 100 });
  const client = new ReservingClient(pooler);
  await client.reserve("insert into t values (1)", Transaction);
  const running = client.run("select pg_sleep(60)");
  await until(SLEEPING);
  await pooler.setServingType(STOPPED);
  expect(await running).toMatchObject({
    error: { diagnostic: { code: "40001" } },
    reservation: undefined,
  });
});

test("closing the pooler rolls back what is reserved", async () => {
  const pooler = await serving();
  const idle = new ReservingClient(pooler);
  await idle.reserve("insert into t values (1)", Transaction);
  const busy = new ReservingClient(pooler);
  await busy.reserve("insert into t values (2)", Transaction);
  const running = busy.run("select pg_sleep(60)");
  await until(SLEEPING);
  await pooler.close();
  expect((await running).error).toMatchObject({ diagnostic: { code: "40001" } });
  expect(await sessionCount(postgres, database.name)).toBe(0);
  expect(await sql("select count(*)::int as n from t")).toEqual([{ n: 0 }]);
});

test("a reservation that nobody uses is ended, one in which a statement runs is not", async () => {
  const inactivityTimeoutMs = 300;
  await using pooler = await serving({ inactivityTimeoutMs });
  const client = new ReservingClient(pooler);
  const { reservation } = await client.reserve("insert into t values (1)", Transaction);
  const slept = await client.run(`select pg_sleep(${(inactivityTimeoutMs * 3) / 1000})`);
  expect(slept).toMatchObject({ error: undefined, reservation });
  expect(await client.run("insert into t values (2)")).toMatchObject({ error: undefined });
  await untilGone(reservation?.backendProcessId ?? 0);
  expect((await client.commit()).error).toMatchObject(LOST);
  expect((await query(pooler, "select count(*) from t")).values).toEqual(["0"]);
});

test("reservations that hold every connection leave others waiting up to their limit", async () => {
  await using pooler = await serving({ capacity: 1, waitTimeoutMs: 100 });
  const client = new ReservingClient(pooler);
  await client.reserve("select 1", Transaction);
  expect(await failureOf(query(pooler, "select 1"))).toMatchObject({ code: "POOL_EXHAUSTED" });
  const other = new ReservingClient(pooler);
  expect((await other.reserve("select 1", Transaction)).error).toMatchObject({
    code: "POOL_EXHAUSTED",
  });
  const waiting = other.reserve("select 1", Transaction);
  await client.commit();
  expect(await waiting).toMatchObject({ error: undefined, values: ["1"] });
  await other.release();
});

test("a reservation in a read-only pooler cannot begin to write", async () => {
  await using pooler = await serving();
  await pooler.setServingType({ status: "SERVING_RDONLY", role: "PRIMARY", reason: "the test" });
  const client = new ReservingClient(pooler);
  const refused = await client.reserve("select 1", Transaction, { begin: "begin read write" });
  expect(refused).toMatchObject({ error: { code: "READ_ONLY" }, reservation: undefined });
  await client.reserve("select 1", Transaction);
  expect(await client.run("set transaction read write")).toMatchObject({
    error: { code: "READ_ONLY" },
    reservation: { reasons: Transaction },
  });
  expect((await client.run("insert into t values (1)")).error).toMatchObject({ code: "READ_ONLY" });
  await client.release();
});

import { PoolerRole, ServingStatus } from "@multipooler/controller-api";
import type { ServingTarget } from "@multipooler/controller-api";
import type { TestPostgres } from "@multipooler/test-postgres";
import { systemClock } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { QueryMode } from "@multipooler/query-service";
import type { Outcome } from "@multipooler/query-service";
import { afterEach, expect, test } from "vitest";
import { CountingShare } from "./counting-share.ts";
import {
  PRIMARY,
  REPLICA,
  STOPPED,
  databaseOf,
  newPooler,
  query,
  request,
  servingPooler,
  sessionCount,
} from "./pooler-fixture.ts";
import { RecordingSink } from "./recording-sink.ts";
import { failureOf } from "./settled.ts";
import { useServer } from "./test-server.ts";

let postgres: TestPostgres;

useServer(
  async (started) => {
    postgres = started;
    await postgres.sql("create database app");
  },
  { auth: "scram-sha-256", password: "right" },
);

afterEach(async () => {
  expect(await sessionCount(postgres, "app")).toBe(0);
});

test("a controller without a database can be asked, but not used", async () => {
  await using pooler = newPooler();
  expect(pooler.servingStatus()).toMatchObject({
    current: { status: "NOT_SERVING", role: "REPLICA" },
    wanted: undefined,
  });
  expect(pooler.isServing()).toBe(false);
  expect(() => pooler.getExecutor()).toThrow(expect.objectContaining({ code: "NOT_INITIALIZED" }));
  expect(await failureOf(pooler.open())).toMatchObject({ code: "NOT_INITIALIZED" });
  expect(await failureOf(pooler.isHealthy())).toMatchObject({ code: "NOT_INITIALIZED" });
  expect(await failureOf(pooler.setServingType(PRIMARY))).toMatchObject({ code: "NOT_OPEN" });
  await pooler.setServingType(STOPPED);
});

test("a database is wanted, once", () => {
  const pooler = newPooler();
  const initialise = (database: never): void => pooler.initDBConfig(database);
  for (const nothing of [null, undefined]) {
    expect(() => {
      // What the types forbid, and JavaScript callers do.
      Reflect.apply(initialise, undefined, [nothing]);
    }).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  }
  pooler.initDBConfig(databaseOf(postgres));
  expect(() => pooler.initDBConfig(databaseOf(postgres))).toThrow(
    expect.objectContaining({ code: "INVALID_ARGUMENT" }),
  );
});

test("a controller that is not open yet does not serve", async () => {
  await using pooler = newPooler();
  pooler.initDBConfig(databaseOf(postgres, { database: "app" }));
  expect(() => pooler.getExecutor()).toThrow(expect.objectContaining({ code: "NOT_OPEN" }));
  expect(await failureOf(pooler.isHealthy())).toMatchObject({ code: "NOT_OPEN" });
  expect(await failureOf(pooler.setServingType(PRIMARY))).toMatchObject({ code: "NOT_OPEN" });
});

test("it offers calls, sessions and health", () => {
  const offered: string[] = [];
  newPooler().register({ offer: (service) => offered.push(service) });
  expect(offered).toEqual(["query", "session", "health"]);
});

test("open is idempotent and does not serve yet; concurrent calls share one attempt", async () => {
  const share = new CountingShare(10);
  await using pooler = newPooler();
  pooler.initDBConfig(databaseOf(postgres, { database: "app", share }));
  await Promise.all([pooler.open(), pooler.open(), pooler.open()]);
  await pooler.open();
  expect(share.used).toBe(1);
  expect(pooler.isServing()).toBe(false);
  expect(await failureOf(query(pooler, "select 1"))).toMatchObject({ code: "NOT_SERVING" });
  await pooler.isHealthy();
});

test("a wrong password is told, and leaves nothing", async () => {
  const share = new CountingShare(10);
  await using pooler = newPooler();
  pooler.initDBConfig(databaseOf(postgres, { password: "wrong", database: "app", share }));
  expect(await failureOf(pooler.open())).toMatchObject({
    name: "PoolerError",
    code: "AUTHENTICATION_FAILED",
    diagnostic: { code: "28P01" },
  });
  expect(share.used).toBe(0);
});

test("an unknown database is what PostgreSQL says it is", async () => {
  await using pooler = newPooler();
  pooler.initDBConfig(databaseOf(postgres, { database: "nowhere" }));
  expect(await failureOf(pooler.open())).toMatchObject({
    code: "DATABASE_ERROR",
    diagnostic: { code: "3D000" },
  });
});

test("a failed open can be retried", async () => {
  let password = "wrong";
  await using pooler = newPooler();
  pooler.initDBConfig({
    ...databaseOf(postgres, { database: "app" }),
    credential: () => Promise.resolve({ type: "password", password }),
  });
  await failureOf(Promise.all([pooler.open(), pooler.open()]));
  password = "right";
  await pooler.open();
  await pooler.setServingType(PRIMARY);
  expect((await query(pooler, "select 'served'")).values).toEqual(["served"]);
});

test("nobody listening is PRE_EXECUTION_UNAVAILABLE with a SQLSTATE that clients know", async () => {
  await using pooler = newPooler();
  pooler.initDBConfig({
    ...databaseOf(postgres),
    address: { type: "socket", path: "/nowhere/.s.PGSQL.1" },
  });
  expect(await failureOf(pooler.open())).toMatchObject({
    code: "PRE_EXECUTION_UNAVAILABLE",
    diagnostic: {
      code: "57P03",
      message: "database is temporarily unavailable; please retry",
    },
  });
});

test("a caller who gives up does not end the open of others; the last one does", async () => {
  const share = new CountingShare(10);
  const database = databaseOf(postgres, { database: "app", share });
  await using pooler = newPooler();
  pooler.initDBConfig(database);
  const controller = new AbortController();
  const given = failureOf(pooler.open({ signal: controller.signal }));
  const kept = pooler.open();
  controller.abort();
  expect(await given).toMatchObject({ code: "CANCELLED" });
  await kept;
  await pooler.close();

  pooler.initDBConfig(database);
  const last = new AbortController();
  const alone = failureOf(pooler.open({ signal: last.signal }));
  last.abort();
  const again = pooler.open();
  expect(await alone).toMatchObject({ code: "CANCELLED" });
  await again;
  expect(share.used).toBe(1);
});

test("close during open ends the open", async () => {
  const share = new CountingShare(10);
  const pooler = newPooler();
  pooler.initDBConfig(databaseOf(postgres, { database: "app", share }));
  const opening = failureOf(pooler.open());
  const closing = pooler.close();
  expect(() => pooler.initDBConfig(databaseOf(postgres))).toThrow(
    expect.objectContaining({ code: "INVALID_ARGUMENT" }),
  );
  expect(await failureOf(pooler.open())).toMatchObject({ code: "NOT_INITIALIZED" });
  await closing;
  expect(await opening).toMatchObject({ code: "NOT_OPEN" });
  expect(share.used).toBe(0);
});

test("an open that everybody gave up leaves nothing", async () => {
  const share = new CountingShare(10);
  await using pooler = newPooler();
  pooler.initDBConfig(databaseOf(postgres, { database: "app", share }));
  const controller = new AbortController();
  const opening = failureOf(pooler.open({ signal: controller.signal }));
  controller.abort();
  expect(await opening).toMatchObject({ code: "CANCELLED" });
  expect(share.used).toBe(0);
  expect(() => pooler.getExecutor()).toThrow(expect.objectContaining({ code: "NOT_OPEN" }));
});

test("close wins over an open that succeeds at the same moment", async () => {
  const share = new CountingShare(10);
  let onDialled = (): void => undefined;
  const clock: Clock = {
    ...systemClock,
    monotonic() {
      onDialled();
      return systemClock.monotonic();
    },
  };
  const pooler = newPooler({ clock });
  pooler.initDBConfig(databaseOf(postgres, { database: "app", share }));
  const opening = failureOf(pooler.open());
  let closing: Promise<void> | undefined;
  // The pool looks at the clock when a connection has come.
  onDialled = () => {
    closing ??= pooler.close();
  };
  expect(await opening).toMatchObject({ code: "NOT_OPEN" });
  await closing;
  expect(() => pooler.getExecutor()).toThrow(expect.objectContaining({ code: "NOT_INITIALIZED" }));
  expect(share.used).toBe(0);
});

test("double close is one close, and everything works again afterwards", async () => {
  const share = new CountingShare(10);
  const database = databaseOf(postgres, { database: "app", share });
  const pooler = await servingPooler(database);
  const executor = pooler.getExecutor();
  await Promise.all([pooler.close(), pooler.close()]);
  await pooler.close();
  expect(share.used).toBe(0);
  expect(await sessionCount(postgres, "app")).toBe(0);
  expect(pooler.servingStatus().current.status).toBe("NOT_SERVING");

  pooler.initDBConfig(database);
  await pooler.open();
  await pooler.setServingType(PRIMARY);
  expect((await query(pooler, "select 1")).values).toEqual(["1"]);
  const stale = executor.streamExecute(request("select 1"), new RecordingSink());
  expect(await failureOf(stale)).toMatchObject({ code: "NOT_OPEN" });
  await pooler.close();
});

test("close cuts what runs and refuses what waits", async () => {
  const pooler = await servingPooler(databaseOf(postgres, { database: "app" }), { capacity: 1 });
  const running = failureOf(query(pooler, "select pg_sleep(60)"));
  await untilRunning("select pg_sleep(60)");
  const waiting = failureOf(query(pooler, "select 1"));
  await pooler.close();
  expect(await running).toMatchObject({
    code: "DATABASE_ERROR",
    diagnostic: { code: "40001" },
  });
  expect(await waiting).toMatchObject({ code: "NOT_OPEN" });
});

test("a drain lets a running query finish and refuses new ones", async () => {
  await using pooler = await servingPooler(databaseOf(postgres, { database: "app" }));
  const running = query(pooler, "select 'finished' from pg_sleep(0.3)");
  await untilRunning("select 'finished' from pg_sleep(0.3)");
  const leaving = pooler.setServingType(STOPPED);
  expect(pooler.isServing()).toBe(false);
  expect(pooler.servingStatus()).toMatchObject({ current: PRIMARY, wanted: STOPPED });
  expect(await failureOf(query(pooler, "select 1"))).toMatchObject({ code: "NOT_SERVING" });
  await leaving;
  expect((await running).values).toEqual(["finished"]);
  expect(pooler.servingStatus()).toMatchObject({ current: STOPPED, wanted: undefined });
});

test("PRIMARY is not left while a write runs: at the deadline it is rolled back", async () => {
  await postgres.sql("create table if not exists ledger (entry text)", { database: "app" });
  await using pooler = await servingPooler(databaseOf(postgres, { database: "app" }), {
    drainGraceMs: 100,
  });
  const write = "insert into ledger select 'late' from pg_sleep(60)";
  const running = failureOf(query(pooler, write));
  await untilRunning(write);
  await pooler.setServingType(REPLICA);
  expect(await running).toMatchObject({
    code: "DATABASE_ERROR",
    diagnostic: { severity: "ERROR", code: "40001" },
  });
  expect(await failureOf(query(pooler, "insert into ledger values ('x')"))).toMatchObject({
    code: "READ_ONLY",
  });
  expect((await query(pooler, "select count(*)::text from ledger")).values).toEqual(["0"]);
});

test("PRIMARY is not left while a write runs that does not heed its cancel", async () => {
  await postgres.sql("create table if not exists ledger (entry text)", { database: "app" });
  await postgres.sql(
    `create or replace function stubborn() returns text language plpgsql as $$ begin
      for i in 1..600 loop
        begin perform pg_sleep(0.1); exception when query_canceled then null; end;
      end loop;
      return 'stubborn';
    end $$`,
    { database: "app" },
  );
  const share = new CountingShare(10);
  await using pooler = await servingPooler(databaseOf(postgres, { database: "app", share }), {
    drainGraceMs: 100,
  });
  const write = "insert into ledger values (stubborn())";
  const running = failureOf(query(pooler, write));
  await untilRunning(write);
  await pooler.setServingType(STOPPED);
  const left = await postgres.sql("select state from pg_stat_activity where query = $1", {
    values: [write],
  });
  expect(left).toEqual([]);
  expect(await running).toMatchObject({ code: "CONNECTION_LOST", diagnostic: { code: "57P01" } });
  expect(share.used).toBe(0);
});

test("an aborted transition leaves a state that admits nothing, and can be called again", async () => {
  await using pooler = await servingPooler(databaseOf(postgres, { database: "app" }));
  const controller = new AbortController();
  const running = query(pooler, "select 'finished' from pg_sleep(0.3)");
  await untilRunning("select 'finished' from pg_sleep(0.3)");
  const leaving = failureOf(pooler.setServingType(REPLICA, { signal: controller.signal }));
  controller.abort();
  expect(await leaving).toMatchObject({ code: "CANCELLED" });
  expect(pooler.servingStatus()).toMatchObject({
    current: { status: "NOT_SERVING", role: "PRIMARY" },
    wanted: undefined,
  });
  expect(await failureOf(query(pooler, "select 1"))).toMatchObject({ code: "NOT_SERVING" });
  await pooler.setServingType(REPLICA);
  expect((await running).values).toEqual(["finished"]);
  expect((await query(pooler, "show transaction_read_only")).values).toEqual(["on"]);
});

test("a controller that closes or opens refuses as the serving status does", async () => {
  const database = databaseOf(postgres, { database: "app" });
  await using pooler = await servingPooler(database);
  const closing = pooler.close();
  expect(await failureOf(query(pooler, "select 1"))).toMatchObject({ code: "NOT_SERVING" });
  await closing;
  expect(() => pooler.getExecutor()).toThrow(expect.objectContaining({ code: "NOT_INITIALIZED" }));
  pooler.initDBConfig(database);
  expect(() => pooler.getExecutor()).toThrow(expect.objectContaining({ code: "NOT_OPEN" }));
  const opening = pooler.open();
  expect(await failureOf(query(pooler, "select 1"))).toMatchObject({ code: "NOT_SERVING" });
  await opening;
});

test("a primary serves what needs a primary, a replica does not", async () => {
  const target = { database: "", tableGroup: "", shard: "", mode: QueryMode.Writable };
  const replica: ServingTarget = { ...PRIMARY, role: PoolerRole.Replica };
  await using pooler = await servingPooler(databaseOf(postgres, { database: "app" }));
  const run = (): Promise<Outcome> =>
    pooler.getExecutor().streamExecute(request("select 1", { target }), new RecordingSink());
  await run();
  await pooler.setServingType(replica);
  expect(await failureOf(run())).toMatchObject({ code: "NOT_SERVING" });
});

test("a drained pooler refuses everything until it serves again", async () => {
  await using pooler = await servingPooler(databaseOf(postgres, { database: "app" }));
  await pooler.setServingType({ ...PRIMARY, status: ServingStatus.Drained });
  expect(await failureOf(query(pooler, "select 1"))).toMatchObject({ code: "NOT_SERVING" });
  await pooler.setServingType(PRIMARY);
  expect((await query(pooler, "select 1")).values).toEqual(["1"]);
});

/** Waits until the server runs `sql`. */
async function untilRunning(sql: string): Promise<void> {
  for (;;) {
    const rows = await postgres.sql(
      "select 1 from pg_stat_activity where datname = 'app' and state = 'active' and query = $1",
      { values: [sql] },
    );
    if (rows.length > 0) {
      return;
    }
  }
}

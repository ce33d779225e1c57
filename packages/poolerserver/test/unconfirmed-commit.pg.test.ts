import { ReservationReason } from "@multipooler/query-service";
import type { TestPostgres, TemporaryDatabase } from "@multipooler/test-postgres";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { MultiPooler } from "../src/multi-pooler.ts";
import { databaseOf, query, servingPooler, STOPPED } from "./pooler-fixture.ts";
import { RecordingSink } from "./recording-sink.ts";
import { ReservingClient } from "./reserving-client.ts";
import { failureOf } from "./settled.ts";
import { useDatabases } from "./test-server.ts";

const UNKNOWN = {
  code: "CONNECTION_LOST",
  diagnostic: { code: "08007", detail: expect.stringMatching(/committed locally/) },
};

/** How long a session may take to get where a test waits for it. */
const PATIENCE = { timeout: 10_000, interval: 5 };

let postgres: TestPostgres;
let database: TemporaryDatabase;
let pooler: MultiPooler;

useDatabases(
  (started, created) => {
    postgres = started;
    database = created;
  },
  { settings: { max_connections: "40" } },
);

beforeEach(async () => {
  const handle = databaseOf(postgres, { database: database.name });
  pooler = await servingPooler(handle, { drainGraceMs: 100 });
  await query(pooler, "create table t (x int)");
  await awaitStandby("ghost");
});

afterEach(async () => {
  await awaitStandby("");
  await pooler.close();
});

/** Has commits wait for a standby of that name, or for none. */
async function awaitStandby(name: string): Promise<void> {
  await postgres.sql(`alter system set synchronous_standby_names = '${name}'`);
  await postgres.sql("select pg_reload_conf()");
  const text = "select current_setting('synchronous_standby_names') as name";
  await expect.poll(() => postgres.sql(text), PATIENCE).toEqual([{ name }]);
}

/** Does something to the session of the database that waits for its standby. */
async function toTheWaiting(call: string): Promise<void> {
  const text = `select ${call} from pg_stat_activity where datname = $1 and wait_event = 'SyncRep'`;
  const done = (): Promise<unknown[]> => postgres.sql(text, { values: [database.name] });
  await expect.poll(done, PATIENCE).not.toEqual([]);
}

const WRITES: readonly [string, string, readonly string[]][] = [
  ["a write", "insert into t values (1)", ["INSERT 0 1"]],
  ["a query string", "insert into t values (1); select 1", ["INSERT 0 1", "SELECT 1"]],
  ["a transaction", "begin; insert into t values (1); commit", ["BEGIN", "INSERT 0 1", "COMMIT"]],
];

test.each(WRITES)(
  "%s whose wait for the standby is cancelled has an unknown outcome",
  async (_, sql, tags) => {
    const sink = new RecordingSink();
    const failure = failureOf(query(pooler, sql, { sink }));
    await toTheWaiting("pg_cancel_backend(pid)");
    expect(await failure).toMatchObject(UNKNOWN);
    expect(sink.tags).toEqual(tags);
    expect((await query(pooler, "select count(*) from t")).values).toEqual(["1"]);
  },
);

test("a write that a drain cuts off while it waits has an unknown outcome", async () => {
  const failure = failureOf(query(pooler, "insert into t values (1)"));
  await toTheWaiting("1");
  await pooler.setServingType(STOPPED);
  expect(await failure).toMatchObject(UNKNOWN);
});

test("a COMMIT of a reservation whose wait is cancelled has an unknown outcome", async () => {
  const client = new ReservingClient(pooler);
  await client.reserve("insert into t values (1)", ReservationReason.Transaction);
  const committing = client.commit();
  await toTheWaiting("pg_cancel_backend(pid)");
  expect(await committing).toMatchObject({
    tags: ["COMMIT"],
    error: UNKNOWN,
    reservation: undefined,
  });
});

test("a COMMIT that its caller gives up while it waits has an unknown outcome", async () => {
  const client = new ReservingClient(pooler);
  await client.reserve("insert into t values (1)", ReservationReason.Transaction);
  const controller = new AbortController();
  const committing = client.commit({ signal: controller.signal });
  await toTheWaiting("1");
  controller.abort();
  expect(await committing).toMatchObject({ error: UNKNOWN, reservation: undefined });
});

test("a COMMIT whose backend is ended while it waits has an unknown outcome", async () => {
  const client = new ReservingClient(pooler);
  await client.reserve("insert into t values (1)", ReservationReason.Transaction);
  const committing = client.commit();
  await toTheWaiting("pg_terminate_backend(pid)");
  expect((await committing).error).toMatchObject({ code: "CONNECTION_LOST" });
});

test("a string that is refused for its open transaction says that a part was committed", async () => {
  await awaitStandby("");
  const sql = "begin; insert into t values (1); commit; begin; insert into t values (2)";
  expect(await failureOf(query(pooler, sql))).toMatchObject({
    code: "INVALID_ARGUMENT",
    diagnostic: { code: "25000", detail: expect.stringMatching(/was committed, and stays so/) },
  });
  expect((await query(pooler, "select x from t")).values).toEqual(["1"]);
});

test("a string that is cut off after a part was committed is not told to be repeatable", async () => {
  await awaitStandby("");
  const sql = "begin; insert into t values (1); commit; select pg_sleep(60)";
  const failure = failureOf(query(pooler, sql));
  const sleeping = "select 1 from pg_stat_activity where datname = $1 and wait_event = 'PgSleep'";
  const asleep = (): Promise<unknown[]> => postgres.sql(sleeping, { values: [database.name] });
  await expect.poll(asleep, PATIENCE).not.toEqual([]);
  await pooler.setServingType(STOPPED);
  expect(await failure).toMatchObject({
    code: "DATABASE_ERROR",
    diagnostic: { code: "57014", detail: expect.stringMatching(/was committed, and stays so/) },
  });
});

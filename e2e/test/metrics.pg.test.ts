import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { connect } from "@multipooler/grpc-services/client";
import type { PoolerClient } from "@multipooler/grpc-services/client";
import type pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ClientPooler } from "./client-pooler.ts";
import { FEW_NOTIFICATION_BYTES, dropNotifications, failDial } from "./rare-events.ts";
import { streamed } from "./reserving-gateway.ts";
import { ScrapedMetrics } from "./scraped-metrics.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

const TRANSACTION = 1;
const COMMIT = 1;
const ROLLBACK = 2;
/** As `SetServingStatus` has them. */
const SERVING = 1;
const DRAINED = 3;
/** Connections that a user may have. */
const OWN_CAPACITY = 3;
const ACQUIRE = "mg_pooler_query_pool_acquire_duration_seconds";
const OWN = 'database="postgres",user="postgres",pool_type="regular"';
const ROLE = 'routing_role="primary"';

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let pooler: ClientPooler;
let caller: PoolerClient;

beforeAll(async () => {
  directory = await temporaryDirectory();
  await writeFile(configFile(), "");
  pooler = await ClientPooler.start({
    "connpool-global-capacity": "7",
    "connpool-max-connections-per-user": String(OWN_CAPACITY),
    "config-file": configFile(),
    "max-notification-bytes": FEW_NOTIFICATION_BYTES,
  });
  caller = connect({ address: await pooler.pooler.grpc() });
});

afterAll(async () => {
  caller?.close();
  await pooler?.[Symbol.asyncDispose]();
  await directory?.[Symbol.asyncDispose]();
});

const configFile = (): string => join(directory.path, "pooler.yaml");

async function limitWaits(limit: string): Promise<void> {
  await writeFile(configFile(), `connpool-wait-timeout: ${limit}\n`);
  await caller.reloadConfig({});
}

async function clients(count: number): Promise<pg.Client[]> {
  return await Promise.all(Array.from({ length: count }, () => pooler.connect()));
}

async function endAll(all: readonly (pg.Client | undefined)[]): Promise<void> {
  await Promise.all(all.map(async (client) => await client?.end()));
}

/** The families that the tests have looked at. */
const checked = new Set<string>();

async function scrape(): Promise<ScrapedMetrics> {
  return await ScrapedMetrics.of(await pooler.pooler.http(), checked);
}

/** How much these have grown during `work`. */
async function growth(
  names: readonly string[],
  work: () => Promise<unknown>,
): Promise<readonly number[]> {
  const before = await scrape();
  await work();
  const after = await scrape();
  return names.map((name) => (after.get(name) ?? 0) - (before.get(name) ?? 0));
}

/** A transaction that is open, as the options of what runs in it. */
async function begun(): Promise<{ readonly reservedConnectionId: bigint }> {
  const reservationOptions = { reasons: TRANSACTION };
  const { state } = await streamed(caller, { query: "select 1", reservationOptions });
  return { reservedConnectionId: state?.reservedConnectionId ?? 0n };
}

test("the pooler, its limits and its connections", async () => {
  const up = async (): Promise<unknown> => (await scrape()).get(`mg_pooler_up{${ROLE}}`);
  await expect.poll(up, { timeout: 20_000 }).toBe(1);
  const held = await begun();
  const metrics = await scrape();
  await caller.releaseReservedConnection({ options: held });
  const gauges: Readonly<Record<string, number>> = {
    databases: 1,
    pools: 1,
    users: 1,
    config_max_server_connections: 7,
    reserved_active_connections: 1,
  };
  for (const [name, value] of Object.entries(gauges)) {
    expect([name, metrics.get(`mg_pooler_${name}{${ROLE}}`)]).toEqual([name, value]);
  }
  expect(metrics.get(`mg_pooler_pool_capacity{${ROLE},user="postgres"}`)).toBe(OWN_CAPACITY);
  const opened = metrics.get('mg_pooler_server_conn_opened_total{pool_type="regular"}');
  expect(opened).toBeGreaterThanOrEqual(1);
  expect(metrics.sum("mg_pooler_server_conn_setup_duration_seconds_count")).toBe(opened);
  const began = 'mg_pooler_serving_transitions_total{from="NOT_SERVING",to="SERVING"}';
  expect(metrics.get(began)).toBeGreaterThanOrEqual(1);
  const states = ["active", "idle"].map((state) =>
    metrics.get(`mg_pooler_server_connections{${ROLE},state="${state}"}`),
  );
  expect(states[0]).toBeGreaterThanOrEqual(1);
  const current = metrics.get(`mg_pooler_pool_current_connections{${ROLE},user="postgres"}`);
  expect(current).toBeGreaterThanOrEqual(1);
  const [regular, reserved] = ["regular", "reserved"].map((pool) =>
    metrics.get(
      `db_client_connection_count{db_client_connection_pool_name="${pool}:postgres",db_client_connection_state="used"}`,
    ),
  );
  expect(reserved).toBe(1);
  expect((regular ?? 0) + 1).toBe(states[0]);
});

test("what a load has done", async () => {
  const client = await pooler.connect();
  const labels = `${ROLE},database="postgres"`;
  const [lent, requests, time, transactions, transactionTime, sent, received] = await growth(
    [
      `mg_pooler_queries_pooled_total{${ROLE},user="postgres"}`,
      `mg_pooler_requests_total{${labels}}`,
      `mg_pooler_requests_time_seconds_total{${labels}}`,
      `mg_pooler_transactions_total{${labels}}`,
      `mg_pooler_transactions_time_seconds_total{${labels}}`,
      `mg_pooler_server_sent_bytes_total{${labels}}`,
      `mg_pooler_server_received_bytes_total{${labels}}`,
    ],
    async () => {
      for (let round = 0; round < 10; round += 1) {
        await client.query("select repeat('x', 1000), pg_sleep(0.01)");
      }
    },
  );
  await client.end();
  expect(lent).toBeGreaterThanOrEqual(10);
  expect(requests).toBeGreaterThanOrEqual(10);
  expect(time).toBeGreaterThanOrEqual(0.1);
  expect(transactions).toBeGreaterThanOrEqual(10);
  expect(transactionTime).toBeGreaterThanOrEqual(0.1);
  expect(sent).toBeGreaterThanOrEqual(10 * "select repeat('x', 1000), pg_sleep(0.01)".length);
  expect(received).toBeGreaterThanOrEqual(10_000);
});

test("how long requests of each user took, and errors by SQLSTATE", async () => {
  await pooler.postgres.sql("create role other login password 'secret'");
  const [client, other] = await Promise.all([
    pooler.connect(),
    pooler.connect({ user: "other", password: "secret" }),
  ]);
  const ofUser = (user: string, status: string): string =>
    `database="postgres",user="${user}",pool_type="regular",status="${status}"`;
  const duration = "mg_pooler_query_duration_seconds";
  const errors = (sqlstate: string): string =>
    `mg_pooler_query_errors_total{${ROLE},database="postgres",pool_type="regular",sqlstate="${sqlstate}",error_source="backend"}`;
  const [slow, all, sum, count, failed, ofOther, division, undefinedTable] = await growth(
    [
      `${duration}_bucket{${ofUser("postgres", "ok")},le="0.1"}`,
      `${duration}_bucket{${ofUser("postgres", "ok")},le="+Inf"}`,
      `${duration}_sum{${ofUser("postgres", "ok")}}`,
      `${duration}_count{${ofUser("postgres", "ok")}}`,
      `${duration}_count{${ofUser("postgres", "error")}}`,
      `${duration}_sum{${ofUser("other", "ok")}}`,
      errors("22012"),
      errors("42P01"),
    ],
    async () => {
      for (let round = 0; round < 3; round += 1) {
        await client.query("select pg_sleep(0.15)");
        await expect(client.query("select 1 / 0")).rejects.toThrow("division by zero");
      }
      await other.query("select pg_sleep(0.2)");
      await expect(other.query("table nowhere")).rejects.toThrow("does not exist");
    },
  );
  await Promise.all([client.end(), other.end()]);
  expect((all ?? 0) - (slow ?? 0)).toBeGreaterThanOrEqual(3);
  expect(sum).toBeGreaterThanOrEqual(0.45);
  expect(count).toBe(all);
  expect(ofOther).toBeGreaterThanOrEqual(0.2);
  expect({ failed, division, undefinedTable }).toEqual({
    failed: 3,
    division: 3,
    undefinedTable: 1,
  });
});

test("how many rows requests had, over gRPC and over PostgreSQL's protocol", async () => {
  const client = await pooler.connect();
  const bucket = (le: string): string => `mg_pooler_query_rows_bucket{${OWN},le="${le}"}`;
  const [one, hundreds, all, sum] = await growth(
    [bucket("1"), bucket("500"), bucket("+Inf"), `mg_pooler_query_rows_sum{${OWN}}`],
    async () => {
      await client.query("select generate_series(1, 300)");
      await streamed(caller, { query: "select generate_series(1, 20000)" });
    },
  );
  await client.end();
  // The pool asks the server a few things of its own, which have few rows.
  expect((hundreds ?? 0) - (one ?? 0)).toBeGreaterThanOrEqual(1);
  expect((all ?? 0) - (hundreds ?? 0)).toBe(1);
  expect(sum).toBeGreaterThanOrEqual(20_300);
});

test("requests of reservations are told apart from the others", async () => {
  const reserved = 'database="postgres",user="postgres",pool_type="reserved"';
  const duration = "mg_pooler_query_duration_seconds_count";
  const errors = `mg_pooler_query_errors_total{${ROLE},database="postgres",pool_type="reserved",sqlstate="22012",error_source="backend"}`;
  const names = [
    `${duration}{${reserved},status="ok"}`,
    `${duration}{${reserved},status="error"}`,
    `mg_pooler_query_rows_sum{${reserved}}`,
    `${ACQUIRE}_count{${reserved},outcome="acquired"}`,
    errors,
  ];
  const options = await begun();
  const counts = await growth(names, async () => {
    await streamed(caller, { query: "select generate_series(1, 7)", options });
    await streamed(caller, { query: "select 1 / 0", options });
  });
  expect(counts).toEqual([1, 1, 7, 0, 1]);
  await caller.concludeTransaction({ options, conclusion: ROLLBACK, rollbackSessionSettings: {} });
  const [succeeded, failed, , granted] = await growth(names, async () => {
    await caller.executeQuery({ query: "select 1" });
    await caller.releaseReservedConnection({ options: await begun() });
  });
  // BEGIN goes with the statement; what cleans the connection afterwards is the pool's.
  expect({ succeeded, failed, granted }).toEqual({ succeeded: 1, failed: 0, granted: 1 });
});

test("calls over gRPC by their method and status", async () => {
  const calls = (status: string): string =>
    `rpc_server_call_duration_seconds_count{rpc_system_name="grpc",rpc_method="multipoolerservice.MultipoolerService/StreamExecute",rpc_response_status_code="${status}"}`;
  const slow = calls("OK").replace("_count{", "_sum{");
  const [succeeded, failed, time] = await growth(
    [calls("OK"), calls("UNKNOWN"), slow],
    async () => {
      await streamed(caller, { query: "select pg_sleep(0.2)" });
      await streamed(caller, { query: "select 1" });
      await streamed(caller, { query: "select 1 / 0" });
    },
  );
  expect([succeeded, failed]).toEqual([2, 1]);
  expect(time).toBeGreaterThanOrEqual(0.2);
});

test("codes that functions make up share one series beyond the ones that are told apart", async () => {
  const client = await pooler.connect();
  for (let code = 10_000; code < 10_100; code += 1) {
    const raise = `do $$ begin raise exception using errcode = '${code}', message = 'x'; end $$`;
    await expect(client.query(raise)).rejects.toMatchObject({ code: String(code) });
  }
  await client.end();
  const metrics = await scrape();
  const other = metrics.sum("mg_pooler_query_errors_total", 'sqlstate=""');
  expect(other).toBeGreaterThanOrEqual(36);
  expect(metrics.sum("mg_pooler_query_errors_total")).toBeGreaterThanOrEqual(104);
});

test("who waits for a connection, and for how long", async () => {
  const [waiter, ...holders] = await clients(OWN_CAPACITY + 1);
  await Promise.all(holders.map(async (holder) => await holder.query("begin; select 1")));
  const [all, quick, sum, total] = await growth(
    [
      `${ACQUIRE}_bucket{${OWN},outcome="acquired",le="+Inf"}`,
      `${ACQUIRE}_bucket{${OWN},outcome="acquired",le="0.05"}`,
      `${ACQUIRE}_sum{${OWN},outcome="acquired"}`,
      `mg_pooler_client_wait_time_seconds_total{${ROLE}}`,
    ],
    async () => {
      const waited = waiter?.query("select 1");
      const waiting = async (): Promise<unknown> =>
        (await scrape()).get(`mg_pooler_client_waiting_connections{${ROLE}}`);
      await expect.poll(waiting, { timeout: 20_000 }).toBe(1);
      await holders[0]?.query("select pg_sleep(0.1)");
      await holders[0]?.query("commit");
      await waited;
    },
  );
  await endAll([waiter, ...holders]);
  expect((all ?? 0) - (quick ?? 0)).toBe(1);
  expect(sum).toBeGreaterThanOrEqual(0.1);
  // The same waits, added up in another order: floating point differs in the last digit.
  expect(total).toBeCloseTo(sum ?? Number.NaN, 9);
});

test("who gets no connection within the wait limit", async () => {
  const [loser, ...holders] = await clients(OWN_CAPACITY + 1);
  await Promise.all(holders.map(async (holder) => await holder.query("begin; select 1")));
  await limitWaits("100ms");
  const [count, sum] = await growth(
    [`${ACQUIRE}_count{${OWN},outcome="timeout"}`, `${ACQUIRE}_sum{${OWN},outcome="timeout"}`],
    async () => {
      await expect(loser?.query("select 1")).rejects.toMatchObject({ code: "53300" });
    },
  );
  await limitWaits("30s");
  await endAll([loser, ...holders]);
  expect(count).toBe(1);
  expect(sum).toBeCloseTo(0.1);
});

test("transactions of reservations by what they came to", async () => {
  const outcomes = ["commit", "rollback", "abort"].map(
    (outcome) => `mg_pooler_txn_outcomes_total{outcome="${outcome}"}`,
  );
  const counted = 'mg_pooler_txn_duration_seconds_count{outcome="commit"}';
  const grown = await growth([...outcomes, counted], async () => {
    for (const conclusion of [COMMIT, COMMIT, ROLLBACK] as const) {
      const options = await begun();
      await caller.concludeTransaction({ options, conclusion, rollbackSessionSettings: {} });
    }
    await caller.releaseReservedConnection({ options: await begun() });
  });
  expect(grown).toEqual([2, 1, 1, 2]);
});

test("logins, and those of roles that are not there", async () => {
  const unknown = `mg_pooler_auth_credential_query_errors_total{${ROLE},error_type="user_not_found"}`;
  const all = `mg_pooler_auth_credential_query_duration_seconds_count{${ROLE}}`;
  const [lookups, strangers] = await growth([all, unknown], async () => {
    await caller.getAuthCredentials({ database: "postgres", username: "postgres" });
    const nobody = caller.getAuthCredentials({ database: "postgres", username: "nobody" });
    await expect(nobody).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
  // The console looks up its users, too.
  expect(lookups).toBeGreaterThanOrEqual(2);
  expect(strangers).toBe(1);
});

test("listeners and their channels, and a loss of their connection", async () => {
  const client = await pooler.connect();
  await client.query("listen one");
  await client.query("listen two");
  const metrics = await scrape();
  expect([metrics.get("mg_pubsub_channels"), metrics.get("mg_pubsub_subscribers")]).toEqual([2, 1]);
  const lost = async (): Promise<number> => (await scrape()).get("mg_pubsub_reconnects_total") ?? 0;
  const before = await lost();
  await pooler.postgres.sql(
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name like '% listen'",
  );
  await expect.poll(lost, { timeout: 20_000 }).toBeGreaterThan(before);
  // The sessions that have listened got an error: the next one has the connection opened again.
  const next = await pooler.connect();
  await next.query("listen three");
  const gaps = async (): Promise<number> =>
    (await scrape()).sum("mg_pubsub_reconnect_gap_duration_seconds_count");
  await expect.poll(gaps, { timeout: 20_000 }).toBeGreaterThanOrEqual(1);
  await next.end();
  await client.end().catch(() => undefined);
});

test("a role that has gone is not reported any more", async () => {
  await pooler.postgres.sql("create role passing login password 'secret'");
  const client = await pooler.connect({ user: "passing", password: "secret" });
  await client.query("select 1");
  const name = `mg_pooler_pool_current_connections{${ROLE},user="passing"}`;
  expect((await scrape()).get(name)).toBeGreaterThanOrEqual(1);
  await client.end();
  await pooler.postgres.sql(
    "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'passing'",
  );
  const isThere = async (): Promise<boolean> => (await scrape()).get(name) !== undefined;
  await expect.poll(isThere, { timeout: 20_000 }).toBe(false);
});

test("notifications that a listener was too slow for", async () => {
  const [dropped] = await growth(["mg_pubsub_notifications_dropped_total"], async () => {
    const cut = dropNotifications(caller, await pooler.pooler.http());
    await expect(cut).rejects.toMatchObject({ code: "RESOURCE_EXHAUSTED" });
  });
  expect(dropped).toBeGreaterThanOrEqual(1);
});

test("connections that PostgreSQL refuses", async () => {
  const failed = 'mg_pooler_server_conn_open_errors_total{pool_type="regular",reason="error"}';
  const [refused] = await growth([failed], async () => {
    await expect(failDial(pooler)).rejects.toMatchObject({ code: "28000" });
  });
  expect(refused).toBeGreaterThanOrEqual(1);
});

test("drains, how long they took, and what they cut", async () => {
  const drain = "mg_pooler_drain";
  const client = await pooler.connect();
  await client.query("begin; select 1");
  const outcomes = ["graceful", "force_close"].map(
    (outcome) => `${drain}_outcome_total{${ROLE},outcome="${outcome}"}`,
  );
  const transition = (from: string, to: string): string =>
    `mg_pooler_serving_transitions_total{from="${from}",to="${to}"}`;
  const [graceful, forced, cut, all, time, drained] = await growth(
    [
      ...outcomes,
      `${drain}_force_closed_total{${ROLE}}`,
      `${drain}_duration_seconds_count{${ROLE}}`,
      `${drain}_duration_seconds_sum{${ROLE}}`,
      transition("SERVING", "DRAINED"),
    ],
    async () => {
      for (let round = 0; round < 2; round += 1) {
        await caller.setServingStatus({ status: DRAINED, wait: true });
        await caller.setServingStatus({ status: SERVING, wait: true });
      }
    },
  );
  await client.end().catch(() => undefined);
  expect([graceful, forced, cut, all, drained]).toEqual([1, 1, 1, 2, 2]);
  expect(time).toBeGreaterThanOrEqual(1);
});

test("there is no family that these tests have not looked at", async () => {
  const { families } = await scrape();
  expect(families.filter((family) => !checked.has(family))).toEqual([]);
  expect([...checked].filter((family) => !families.includes(family))).toEqual([]);
});

import { connect } from "@multipooler/grpc-services/client";
import type { PoolerClient } from "@multipooler/grpc-services/client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ClientPooler } from "./client-pooler.ts";
import { streamed } from "./reserving-gateway.ts";

const TRANSACTION = 1;
const COMMIT = 1;
const ROLLBACK = 2;
const ROLE = 'routing_role="primary"';

let pooler: ClientPooler;
let caller: PoolerClient;

beforeAll(async () => {
  pooler = await ClientPooler.start({ "connpool-global-capacity": "7" });
  caller = connect({ address: await pooler.pooler.grpc() });
});

afterAll(async () => {
  caller?.close();
  await pooler?.[Symbol.asyncDispose]();
});

/** What `/metrics` says, by name and labels. */
async function scrape(): Promise<ReadonlyMap<string, number>> {
  const response = await fetch(`${await pooler.pooler.http()}/metrics`);
  expect(response.status).toBe(200);
  const lines = (await response.text()).split("\n");
  return new Map(
    lines
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map((line) => {
        const at = line.lastIndexOf(" ");
        return [line.slice(0, at), Number(line.slice(at + 1))];
      }),
  );
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
  expect(Object.fromEntries(metrics)).toMatchObject({
    [`mg_pooler_databases{${ROLE}}`]: 1,
    [`mg_pooler_pools{${ROLE}}`]: 1,
    [`mg_pooler_users{${ROLE}}`]: 1,
    [`mg_pooler_config_max_server_connections{${ROLE}}`]: 7,
    [`mg_pooler_pool_capacity{${ROLE},user="postgres"}`]: 7,
    [`mg_pooler_reserved_active_connections{${ROLE}}`]: 1,
    // A health check may wait for a connection just now.
    [`mg_pooler_client_waiting_connections{${ROLE}}`]: expect.any(Number),
    'mg_pooler_server_conn_setup_duration_seconds_bucket{pool_type="regular",le="+Inf"}':
      metrics.get('mg_pooler_server_conn_opened_total{pool_type="regular"}'),
  });
  const began = 'mg_pooler_serving_transitions_total{from="NOT_SERVING",to="SERVING"}';
  expect(metrics.get(began)).toBeGreaterThanOrEqual(1);
  const states = ["active", "idle"].map((state) =>
    metrics.get(`mg_pooler_server_connections{${ROLE},state="${state}"}`),
  );
  expect(states[0]).toBeGreaterThanOrEqual(1);
  const current = metrics.get(`mg_pooler_pool_current_connections{${ROLE},user="postgres"}`);
  expect(current).toBeGreaterThanOrEqual(1);
  const used =
    'db_client_connection_count{db_client_connection_pool_name="regular:postgres",db_client_connection_state="used"}';
  expect(metrics.get(used)).toBe(states[0]);
});

test("what a load has done", async () => {
  const client = await pooler.connect();
  const labels = `${ROLE},database="postgres"`;
  const [lent, requests, time, received, reserved] = await growth(
    [
      `mg_pooler_queries_pooled_total{${ROLE},user="postgres"}`,
      `mg_pooler_requests_total{${labels}}`,
      `mg_pooler_requests_time_seconds_total{${labels}}`,
      `mg_pooler_server_received_bytes_total{${labels}}`,
      `mg_pooler_reserved_active_connections{${ROLE}}`,
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
  expect(received).toBeGreaterThanOrEqual(10_000);
  expect(reserved).toBe(0);
});

test("how long requests took, and errors", async () => {
  const client = await pooler.connect();
  const labels = 'database="postgres",pool_type="regular"';
  const duration = "mg_pooler_query_duration_seconds";
  const [slow, all, sum, count, errors] = await growth(
    [
      `${duration}_bucket{${labels},le="0.1"}`,
      `${duration}_bucket{${labels},le="+Inf"}`,
      `${duration}_sum{${labels}}`,
      `${duration}_count{${labels}}`,
      `mg_pooler_query_errors_total{${ROLE},database="postgres"}`,
    ],
    async () => {
      for (let round = 0; round < 3; round += 1) {
        await client.query("select pg_sleep(0.15)");
      }
      await expect(client.query("select 1 / 0")).rejects.toThrow("division by zero");
    },
  );
  await client.end();
  expect((all ?? 0) - (slow ?? 0)).toBeGreaterThanOrEqual(3);
  expect(sum).toBeGreaterThanOrEqual(0.45);
  expect(count).toBe(all);
  expect(errors).toBe(1);
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
  const isThere = async (): Promise<boolean> => (await scrape()).has(name);
  await expect.poll(isThere, { timeout: 20_000 }).toBe(false);
});

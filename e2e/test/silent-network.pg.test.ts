import { connect } from "@multipooler/grpc-services/client";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { Network } from "./network.ts";
import { READY_LIMIT_MS, servingPooler, valueOf } from "./serving-pooler.ts";

const SESSIONS = 5;
/** From the statement until the pooler knows that its session carries nothing. */
const NOTICED_MS = 10_000;

let postgres: TestPostgres;
let network: Network;

beforeAll(async () => {
  postgres = await startPostgres();
});

afterAll(async () => {
  await postgres?.[Symbol.asyncDispose]();
});

beforeEach(async () => {
  network = await Network.before(postgres.port);
});

afterEach(async () => {
  await network[Symbol.asyncDispose]();
});

function flags(): Record<string, string> {
  return {
    "pg-port": String(network.port),
    "connpool-global-capacity": String(SESSIONS),
    // The network tells connections apart by their first message, which would ask for TLS.
    "pg-client-sslmode": "disable",
  };
}

/** Whether a start-up message is one of the pool that serves queries. */
const isOfPool = (startup: Buffer): boolean => startup.includes("zone1_e2e regular\0");

test("the network swallows the pooled connections: what was sent is lost, and what waited is served", async () => {
  await postgres.sql("create table served (id int generated always as identity)");
  await using pooler = await servingPooler(postgres, flags());
  using client = connect({ address: await pooler.grpc() });
  const all = (count: number, sql: string): Promise<PromiseSettledResult<string>[]> =>
    Promise.allSettled(Array.from({ length: count }, () => valueOf(client, sql)));
  await all(SESSIONS, "select pg_sleep(0.05)");

  network.swallow();
  const startedAt = performance.now();
  // Writes, since short reads share a connection. The other half waits for one.
  const outcomes = await all(2 * SESSIONS, "insert into served default values returning 'served'");
  expect(performance.now() - startedAt).toBeLessThan(NOTICED_MS);
  const [served, lost] = [
    outcomes.filter(({ status }) => status === "fulfilled"),
    outcomes.filter(({ status }) => status === "rejected"),
  ];
  expect(lost.length).toBeGreaterThan(0);
  expect(lost.length).toBeLessThanOrEqual(SESSIONS);
  for (const outcome of lost) {
    expect(outcome).toMatchObject({ reason: { diagnostic: { code: "08006" } } });
  }
  // What was sent once was not sent again.
  expect(await valueOf(client, "select count(*) from served")).toBe(String(served.length));
  await pooler.ready(200, { signal: AbortSignal.timeout(READY_LIMIT_MS) });
});

test("only the connections of queries carry nothing: /ready says so, and again when they do", async () => {
  await using pooler = await servingPooler(postgres, flags());
  using client = connect({ address: await pooler.grpc() });
  await valueOf(client, "select 1");

  network.route = (startup) => (isOfPool(startup) ? "nothing" : "server");
  network.swallow(isOfPool);
  const broken = await pooler.ready(503, { signal: AbortSignal.timeout(READY_LIMIT_MS) });
  expect(broken).toMatchObject({
    reason: expect.stringMatching(/^queries do not get through: /),
    serving: "SERVING",
    database: { reachable: true },
  });

  network.route = () => "server";
  await pooler.ready(200, { signal: AbortSignal.timeout(READY_LIMIT_MS) });
  expect(await valueOf(client, "select 1")).toBe("1");
});

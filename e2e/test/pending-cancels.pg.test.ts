import { connect } from "@multipooler/grpc-services/client";
import type { PoolerClient } from "@multipooler/grpc-services/client";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { Network } from "./network.ts";
import { servingPooler, valueOf } from "./serving-pooler.ts";

const PENDING = 50;
/** The code in the place of a protocol version that asks for a cancel. */
const CANCEL_REQUEST = 80_877_102;
const PATIENCE = { timeout: 20_000 };
/** Fifty connections are opened and filled before anything is measured. */
const LIMIT = { timeout: 60_000 };
/** Cancels wait this long for the server, and its processes are ended for a moment more. */
const GIVEN_UP_MS = 5000;
/** From the server's return to the answer of the first statement. */
const SERVED_MS = 3000;

let postgres: TestPostgres;
let network: Network;
let cancels: number;

beforeAll(async () => {
  postgres = await startPostgres();
});

afterAll(async () => {
  await postgres?.[Symbol.asyncDispose]();
});

beforeEach(async () => {
  network = await Network.before(postgres.port);
  cancels = 0;
});

afterEach(async () => {
  await network[Symbol.asyncDispose]();
});

/** Whether a connection was made to cancel something. Counts those that were. */
function isCancel(startup: Buffer): boolean {
  const is = startup.length === 16 && startup.readInt32BE(4) === CANCEL_REQUEST;
  cancels += is ? 1 : 0;
  return is;
}

function flags(): Record<string, string> {
  return {
    "pg-port": String(network.port),
    "connpool-global-capacity": String(PENDING),
    "connpool-max-connections-per-user": String(PENDING),
    // The network tells connections apart by their first message, which would ask for TLS.
    "pg-client-sslmode": "disable",
  };
}

/** Statements that take every connection. Returns what has all of them cancelled. */
async function fillPool(client: PoolerClient): Promise<() => Promise<unknown>> {
  const abort = new AbortController();
  const query = "select pg_sleep(600)";
  const calls = Promise.allSettled(
    Array.from({ length: PENDING }, () => client.executeQuery({ query }, { signal: abort.signal })),
  );
  const sleeping = async (): Promise<number> => {
    const rows = await postgres.sql("select 1 from pg_stat_activity where wait_event = 'PgSleep'");
    return rows.length;
  };
  await expect.poll(sleeping, PATIENCE).toBe(PENDING);
  return () => {
    abort.abort();
    return calls;
  };
}

/** How long the next statement waits for its answer. */
async function servedWithin(client: PoolerClient): Promise<number> {
  const startedAt = performance.now();
  expect(await valueOf(client, "select 'served'")).toBe("served");
  return performance.now() - startedAt;
}

async function processes(): Promise<number[]> {
  const rows = await postgres.sql(
    "select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()",
  );
  return [postgres.pid, ...rows.map(({ pid }) => pid)].filter((pid) => typeof pid === "number");
}

test(
  "a frozen server that wakes with cancels pending serves the next statement at once",
  LIMIT,
  async () => {
    await using pooler = await servingPooler(postgres, flags());
    using client = connect({ address: await pooler.grpc() });
    const cancelAll = await fillPool(client);
    const frozen = await processes();
    network.route = (startup) => {
      isCancel(startup);
      return "server";
    };
    try {
      for (const pid of frozen) {
        process.kill(pid, "SIGSTOP");
      }
      void cancelAll();
      await expect.poll(() => cancels, PATIENCE).toBeGreaterThanOrEqual(PENDING);
    } finally {
      for (const pid of frozen) {
        process.kill(pid, "SIGCONT");
      }
    }
    expect(await servedWithin(client)).toBeLessThan(SERVED_MS);
  },
);

test(
  "cancels that get no answer are given up together, not one after the other",
  LIMIT,
  async () => {
    await using pooler = await servingPooler(postgres, flags());
    using client = connect({ address: await pooler.grpc() });
    const cancelAll = await fillPool(client);
    network.route = (startup) => (isCancel(startup) ? "nothing" : "server");
    void cancelAll();
    await expect.poll(() => cancels, PATIENCE).toBeGreaterThanOrEqual(PENDING);
    expect(await servedWithin(client)).toBeLessThan(GIVEN_UP_MS);
  },
);

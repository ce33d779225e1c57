import { setTimeout as delay } from "node:timers/promises";
import { connect } from "@multipooler/grpc-services/client";
import type { ManagerHealthStreamInput, PoolerClient } from "@multipooler/grpc-services/client";
import type { PoolerProcess } from "@multipooler/pooler-process";
import type { StatusResponse } from "@multipooler/proto/manager-v1";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Network } from "./network.ts";
import { READY_LIMIT_MS, servingPooler } from "./serving-pooler.ts";

/** How long an answer may take, whatever PostgreSQL does. */
const LIMIT_MS = 1000;
const PATIENCE = { timeout: 20_000 };
/** FATAL 53300, as PostgreSQL answers a start-up where no connection is left. */
const REFUSAL = Buffer.from("SFATAL\0VFATAL\0C53300\0Msorry, too many clients already\0\0");

let postgres: TestPostgres;
let network: Network;
let pooler: PoolerProcess;
let client: PoolerClient;

beforeAll(async () => {
  postgres = await startPostgres();
  network = await Network.before(postgres.port);
  // The network tells connections apart by their first message, which would ask for TLS.
  pooler = await servingPooler(postgres, {
    "pg-port": String(network.port),
    "pg-client-sslmode": "disable",
  });
  client = connect({ address: await pooler.grpc() });
}, 60_000);

afterAll(async () => {
  client?.close();
  await pooler?.[Symbol.asyncDispose]();
  await network?.[Symbol.asyncDispose]();
  await postgres?.[Symbol.asyncDispose]();
});

interface Fault {
  readonly begin: () => Promise<void> | void;
  readonly end: () => Promise<void> | void;
  /** What shows that the fault is felt. */
  readonly isFelt: (status: StatusResponse) => boolean;
}

function mendNetwork(): void {
  network.route = () => "server";
  network.delayMs = 0;
}

const isUnreachable = ({ database }: StatusResponse): boolean => database?.reachable === false;

/** All that PostgreSQL can do to a question. */
const FAULTS: Readonly<Record<"hangs" | "dies" | "refuses" | "is slow", Fault>> = {
  hangs: {
    begin: () => {
      network.route = () => "nothing";
      network.swallow();
    },
    end: mendNetwork,
    isFelt: isUnreachable,
  },
  dies: {
    begin: () => postgres.kill(),
    end: () => postgres.start(),
    isFelt: isUnreachable,
  },
  refuses: {
    begin: async () => {
      const header = Buffer.from("E\0\0\0\0");
      header.writeInt32BE(REFUSAL.byteLength + 4, 1);
      network.route = () => Buffer.concat([header, REFUSAL]);
      await postgres.sql(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'multipooler %'",
      );
    },
    end: mendNetwork,
    isFelt: ({ ready }) => !ready,
  },
  "is slow": {
    begin: () => {
      network.delayMs = 300;
    },
    end: mendNetwork,
    // It is served from: nothing but the time of its answers shows.
    isFelt: ({ ready }) => ready,
  },
};

/** Asks for both kinds of status for a while; resolves with the longest that an answer took. */
async function slowestAnswerMs(isFelt: Fault["isFelt"]): Promise<number> {
  let slowestMs = 0;
  let felt = 0;
  while (felt < 3) {
    const since = performance.now();
    const [status] = await Promise.all([client.status(), client.consensus.status()]);
    slowestMs = Math.max(slowestMs, performance.now() - since);
    felt += isFelt(status) ? 1 : 0;
    await delay(50);
  }
  return slowestMs;
}

test.each(Object.entries(FAULTS))(
  "both kinds of status answer within a second while PostgreSQL %s",
  async (_what, { begin, end, isFelt }) => {
    await begin();
    try {
      expect(await slowestAnswerMs(isFelt)).toBeLessThan(LIMIT_MS);
    } finally {
      await end();
    }
    await pooler.ready(200, { signal: AbortSignal.timeout(READY_LIMIT_MS) });
  },
);

async function* start(): AsyncGenerator<ManagerHealthStreamInput, void, void> {
  yield { message: { $case: "start", value: { snapshotInterval: { seconds: 30n } } } };
}

test("a health stream tells within a second that PostgreSQL died, and when it is back", async () => {
  const watching = new AbortController();
  const seen: { readonly isReachable: boolean; readonly at: number }[] = [];
  const followed = (async () => {
    try {
      for await (const { message } of client.managerHealthStream(start(), watching)) {
        if (message?.$case === "snapshot") {
          const isReachable = message.value.status?.database?.reachable === true;
          seen.push({ isReachable, at: performance.now() });
        }
      }
    } catch (error) {
      watching.signal.throwIfAborted();
      throw error;
    }
  })();
  await expect.poll(() => seen.length, PATIENCE).toBe(1);
  const died = performance.now();
  await postgres.kill();
  await expect.poll(() => seen.at(-1)?.isReachable, PATIENCE).toBe(false);
  expect((seen.find(({ isReachable }) => !isReachable)?.at ?? Infinity) - died).toBeLessThan(1000);
  await postgres.start();
  await expect.poll(() => seen.at(-1)?.isReachable, PATIENCE).toBe(true);
  watching.abort();
  await expect(followed).rejects.toMatchObject({ name: "AbortError" });
});

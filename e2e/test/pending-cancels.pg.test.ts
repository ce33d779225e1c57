import { once } from "node:events";
import { connect as connectSocket } from "node:net";
import { connect } from "@multipooler/grpc-services/client";
import type pg from "pg";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ClientPooler } from "./client-pooler.ts";
import { Network } from "./network.ts";
import { valueOf } from "./serving-pooler.ts";

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
const SLEEP = "select pg_sleep(600)";

/** Clients whose statements run for long, and another one. */
interface Front extends AsyncDisposable {
  /** Sends {@link PENDING} statements that sleep. */
  fill(): Promise<void>;
  /** Has all of them cancelled; again, those that still run. */
  cancelAll(): void;
  /** How they have ended: an SQLSTATE, or a code of the service. */
  readonly ends: Promise<readonly unknown[]>;
  /** What a statement of another client says. */
  value(sql: string): Promise<string>;
}

let network: Network;
let pooler: ClientPooler;
let cancels: number;

beforeEach(async () => {
  cancels = 0;
  const flags = {
    "connpool-global-capacity": String(PENDING + 1),
    "connpool-max-connections-per-user": String(PENDING + 1),
    // The network tells connections apart by their first message, which would ask for TLS.
    "pg-client-sslmode": "disable",
  };
  pooler = await ClientPooler.start(flags, {
    portOf: async ({ port }) => {
      network = await Network.before(port);
      return network.port;
    },
  });
});

afterEach(async () => {
  await pooler[Symbol.asyncDispose]();
  await network[Symbol.asyncDispose]();
});

/** Whether a connection was made to cancel something. Counts those that were. */
function isCancel(startup: Buffer): boolean {
  const is = startup.length === 16 && startup.readInt32BE(4) === CANCEL_REQUEST;
  cancels += is ? 1 : 0;
  return is;
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : error;
}

async function callers(): Promise<Front> {
  const client = connect({ address: await pooler.pooler.grpc() });
  const abort = new AbortController();
  const ends = Promise.withResolvers<readonly unknown[]>();
  return {
    fill: async () => {
      const options = { signal: abort.signal };
      const calls = Array.from({ length: PENDING }, () =>
        client.executeQuery({ query: SLEEP }, options).then(() => "done", codeOf),
      );
      ends.resolve(Promise.all(calls));
    },
    cancelAll: () => abort.abort(),
    ends: ends.promise,
    value: async (sql) => await valueOf(client, sql),
    [Symbol.asyncDispose]: async () => client.close(),
  };
}

/** Sends a CancelRequest as libpq does. */
async function cancelClient(client: pg.Client): Promise<void> {
  // The types of pg leave the key out.
  const processId: unknown = Reflect.get(client, "processID");
  const secretKey: unknown = Reflect.get(client, "secretKey");
  const socket = connectSocket(pooler.address.port, pooler.address.host);
  const request = Buffer.alloc(16);
  for (const [index, word] of [16, CANCEL_REQUEST, processId, secretKey].entries()) {
    request.writeInt32BE(Number(word), 4 * index);
  }
  socket.resume().end(request);
  await once(socket, "close");
}

async function clients(): Promise<Front> {
  const other = await pooler.connect();
  const all = await Promise.all(Array.from({ length: PENDING }, () => pooler.connect()));
  const ends = Promise.withResolvers<readonly unknown[]>();
  return {
    fill: async () => {
      const statements = all.map((client) => client.query(SLEEP).then(() => "done", codeOf));
      ends.resolve(Promise.all(statements));
    },
    cancelAll: () => {
      for (const client of all) {
        void cancelClient(client);
      }
    },
    ends: ends.promise,
    value: async (text) => {
      const { rows } = await other.query<string[]>({ text, rowMode: "array" });
      return rows[0]?.[0] ?? "";
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([other, ...all].map((client) => client.end().catch(() => undefined)));
    },
  };
}

async function sleeping(): Promise<number> {
  const rows = await pooler.postgres.sql(
    "select 1 from pg_stat_activity where wait_event = 'PgSleep'",
  );
  return rows.length;
}

/** How long the next statement waits for its answer. */
async function servedWithin(front: Front): Promise<number> {
  const startedAt = performance.now();
  const served = (): Promise<unknown> => front.value("select 'served'").catch(codeOf);
  await expect.poll(served, { ...PATIENCE, interval: 20 }).toBe("served");
  return performance.now() - startedAt;
}

async function processes(): Promise<number[]> {
  const rows = await pooler.postgres.sql(
    "select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()",
  );
  return [pooler.postgres.pid, ...rows.map(({ pid }) => pid)].filter(
    (pid) => typeof pid === "number",
  );
}

/** Fills the pool, and has all of that cancelled while no cancel is answered. */
async function cancelUnanswered(front: Front): Promise<void> {
  await front.fill();
  await expect.poll(sleeping, PATIENCE).toBe(PENDING);
  network.route = (startup) => (isCancel(startup) ? "nothing" : "server");
  front.cancelAll();
  await expect.poll(() => cancels, PATIENCE).toBeGreaterThanOrEqual(PENDING);
}

const FRONTS = [
  { transport: "gRPC", open: callers, cancelled: "CANCELLED" },
  { transport: "PostgreSQL's protocol", open: clients, cancelled: "57014" },
];

test.for(FRONTS)(
  "a frozen server that wakes with cancels pending serves the next statement at once: $transport",
  LIMIT,
  async ({ open, cancelled }) => {
    await using front = await open();
    await front.fill();
    await expect.poll(sleeping, PATIENCE).toBe(PENDING);
    const frozen = await processes();
    network.route = (startup) => {
      isCancel(startup);
      return "server";
    };
    try {
      for (const pid of frozen) {
        process.kill(pid, "SIGSTOP");
      }
      front.cancelAll();
      await expect.poll(() => cancels, PATIENCE).toBeGreaterThanOrEqual(PENDING);
    } finally {
      for (const pid of frozen) {
        process.kill(pid, "SIGCONT");
      }
    }
    expect(await servedWithin(front)).toBeLessThan(SERVED_MS);
    expect(new Set(await front.ends)).toEqual(new Set([cancelled]));
  },
);

test.for(FRONTS)(
  "a server that restarts with cancels pending serves the next statement at once: $transport",
  LIMIT,
  async ({ open }) => {
    await using front = await open();
    await cancelUnanswered(front);
    await pooler.postgres.stop("immediate");
    await front.ends;
    await pooler.postgres.start();
    expect(await servedWithin(front)).toBeLessThan(SERVED_MS);
    network.route = () => "server";
    expect(await servedWithin(front)).toBeLessThan(SERVED_MS);
  },
);

test.for(FRONTS)(
  "cancels that get no answer are given up together, not one after the other: $transport",
  LIMIT,
  async ({ open, cancelled }) => {
    await using front = await open();
    await cancelUnanswered(front);
    expect(await servedWithin(front)).toBeLessThan(GIVEN_UP_MS);
    network.route = () => "server";
    // Whoever still waits can ask once more when the first requests were given up.
    const again = async (): Promise<number> => {
      front.cancelAll();
      return await sleeping();
    };
    await expect.poll(again, { ...PATIENCE, interval: 500 }).toBe(0);
    expect(new Set(await front.ends)).toEqual(new Set([cancelled]));
    expect(await servedWithin(front)).toBeLessThan(SERVED_MS);
  },
);

import { setTimeout as elapsed } from "node:timers/promises";
import { connect } from "@multipooler/grpc-services/client";
import { residentBytes } from "@multipooler/pooler-process";
import type { TestPostgres } from "@multipooler/test-postgres";
import { expect, test } from "vitest";
import { ClientPooler } from "./client-pooler.ts";
import { Trickle } from "./trickle.ts";

const MIB = 1024 * 1024;
const GROWTH_LIMIT_BYTES = 150 * MIB;
/** 1 GiB: rows of 1 MiB, and a million of 1 KiB. */
const RESULTS = [
  "select repeat('x', 1048576) from generate_series(1, 1024)",
  "select repeat('x', 1024) from generate_series(1, 1048576)",
] as const;
/** Memory is looked at for so long after the server has had to stop. */
const WATCHED_MS = 4000;
const SAMPLE_INTERVAL_MS = 50;
const IDLE = "select 1";

/** Resolves when PostgreSQL itself waits for its client. */
async function untilServerWaits(postgres: TestPostgres, query: string): Promise<void> {
  const waits = "select wait_event from pg_stat_activity where query = $1 and state = 'active'";
  const state = async (): Promise<unknown> =>
    (await postgres.sql(waits, { values: [query] }))[0]?.["wait_event"];
  await expect.poll(state, { timeout: 30_000 }).toBe("ClientWrite");
}

/** Resolves when no statement runs but one's own. */
async function untilIdle(postgres: TestPostgres): Promise<void> {
  const running = `select query from pg_stat_activity
    where state = 'active' and backend_type = 'client backend' and pid <> pg_backend_pid()`;
  await expect.poll(() => postgres.sql(running), { timeout: 20_000 }).toEqual([]);
}

/** The most that a process grew over `idle` while it was watched. */
async function growth(pid: number, idle: number): Promise<number> {
  const end = performance.now() + WATCHED_MS;
  let peak = 0;
  while (performance.now() < end) {
    peak = Math.max(peak, residentBytes(pid) - idle);
    await elapsed(SAMPLE_INTERVAL_MS);
  }
  return peak;
}

test.each(RESULTS)(
  "a caller that reads 1 KiB a second of a GiB does not make the process hold it: %s",
  { timeout: 120_000 },
  async (query) => {
    await using clients = await ClientPooler.start();
    const { pooler, postgres } = clients;
    await using trickle = await Trickle.before(await pooler.grpc());
    using caller = connect({ address: await pooler.grpc() });
    await caller.executeQuery({ query: IDLE });
    const idle = residentBytes(pooler.pid);
    using slow = connect({ address: trickle.address });
    const abort = new AbortController();
    const read = (async (): Promise<void> => {
      const options = { passthroughRow: true };
      for await (const part of slow.streamExecute({ query, options }, abort)) {
        void part;
      }
    })();
    const ended = expect(read).rejects.toMatchObject({ code: "CANCELLED" });
    await untilServerWaits(postgres, query);
    expect(await growth(pooler.pid, idle)).toBeLessThan(GROWTH_LIMIT_BYTES);
    expect(await caller.executeQuery({ query: IDLE })).toMatchObject({
      result: { commandTag: "SELECT 1" },
    });
    abort.abort();
    await ended;
    await untilIdle(postgres);
  },
);

test.each(RESULTS)(
  "a client that reads 1 KiB a second of a GiB does not make the process hold it: %s",
  { timeout: 120_000 },
  async (query) => {
    await using clients = await ClientPooler.start({ "pg-trust-loopback": "on" });
    const { pooler, postgres } = clients;
    await using trickle = await Trickle.before(await pooler.pgwire());
    const neighbour = await clients.connect();
    await neighbour.query(IDLE);
    const idle = residentBytes(pooler.pid);
    const slow = await clients.connect({ port: trickle.port });
    const read = slow.query(query).catch(() => undefined);
    await untilServerWaits(postgres, query);
    expect(await growth(pooler.pid, idle)).toBeLessThan(GROWTH_LIMIT_BYTES);
    expect((await neighbour.query(IDLE)).rowCount).toBe(1);
    slow.connection.stream.destroy();
    await read;
    await untilIdle(postgres);
    await neighbour.end();
  },
);

import { setTimeout as elapsed } from "node:timers/promises";
import { connect } from "@multipooler/grpc-services/client";
import type { TestPostgres } from "@multipooler/test-postgres";
import { expect, test } from "vitest";
import { ClientPooler } from "./client-pooler.ts";
import { Trickle } from "./trickle.ts";

const LIMIT_MS = 1500;
const FLAGS = { "client-stall-timeout": `${LIMIT_MS}ms`, "pg-trust-loopback": "on" };
/** 1 GiB. */
const QUERY = "select repeat('x', 1024) from generate_series(1, 1048576)";
/** For the system's steps of 1.4 MiB, what 1 KiB a second is within the default limit of half an hour. */
const SLOW_BYTES_PER_SECOND = 2 * 1024 * 1024;
const WATCHED_MS = 4 * LIMIT_MS;

/** How many clients of PostgreSQL run something, or are in a transaction. */
async function busy(postgres: TestPostgres): Promise<number> {
  const rows = await postgres.sql(`select pid from pg_stat_activity
    where state <> 'idle' and backend_type = 'client backend' and pid <> pg_backend_pid()`);
  return rows.length;
}

async function untilBusy(postgres: TestPostgres, count: number): Promise<void> {
  await expect.poll(() => busy(postgres), { timeout: 20_000 }).toBe(count);
}

/** The fewest that {@link busy} says within some times the limit. */
async function leastBusy(postgres: TestPostgres): Promise<number> {
  const end = performance.now() + WATCHED_MS;
  let least = Number.POSITIVE_INFINITY;
  while (performance.now() < end) {
    await elapsed(LIMIT_MS / 4);
    least = Math.min(least, await busy(postgres));
  }
  return least;
}

test("a caller that reads nothing gives its backend back", { timeout: 60_000 }, async () => {
  await using clients = await ClientPooler.start(FLAGS);
  const { pooler, postgres } = clients;
  using caller = connect({ address: await pooler.grpc() });
  const options = { passthroughRow: true };
  const parts = caller.streamExecute({ query: QUERY, options })[Symbol.asyncIterator]();
  await parts.next();
  await untilBusy(postgres, 1);
  await untilBusy(postgres, 0);
  const rest = (async (): Promise<void> => {
    while ((await parts.next()).done !== true) {
      // What was sent before the end comes before the error.
    }
  })();
  await expect(rest).rejects.toMatchObject({
    code: "RESOURCE_EXHAUSTED",
    diagnostic: { code: "53400" },
  });
  expect(await caller.executeQuery({ query: "select 1" })).toMatchObject({
    result: { commandTag: "SELECT 1" },
  });
});

test.each(["", "begin; "])(
  "a client that reads nothing gives its backend back: %sselect",
  { timeout: 60_000 },
  async (begin) => {
    await using clients = await ClientPooler.start(FLAGS);
    const { postgres } = clients;
    const client = await clients.connect();
    client.connection.stream.once("data", () => client.connection.stream.pause());
    const read = client.query(begin + QUERY).catch((error: unknown) => error);
    await untilBusy(postgres, 1);
    await untilBusy(postgres, 0);
    client.connection.stream.resume();
    expect(await read).toBeInstanceOf(Error);
  },
);

test("a caller that reads slowly keeps its statement", { timeout: 60_000 }, async () => {
  await using clients = await ClientPooler.start(FLAGS);
  const { pooler, postgres } = clients;
  await using trickle = await Trickle.before(await pooler.grpc(), SLOW_BYTES_PER_SECOND);
  using slow = connect({ address: trickle.address });
  const abort = new AbortController();
  const read = (async (): Promise<void> => {
    const options = { passthroughRow: true };
    for await (const part of slow.streamExecute({ query: QUERY, options }, abort)) {
      void part;
    }
  })();
  const ended = expect(read).rejects.toMatchObject({ code: "CANCELLED" });
  await untilBusy(postgres, 1);
  expect(await leastBusy(postgres)).toBe(1);
  abort.abort();
  await ended;
  await untilBusy(postgres, 0);
});

test("a client that reads slowly keeps its statement", { timeout: 60_000 }, async () => {
  await using clients = await ClientPooler.start(FLAGS);
  const { pooler, postgres } = clients;
  await using trickle = await Trickle.before(await pooler.pgwire(), SLOW_BYTES_PER_SECOND);
  const slow = await clients.connect({ port: trickle.port });
  const read = slow.query(QUERY).catch(() => undefined);
  await untilBusy(postgres, 1);
  expect(await leastBusy(postgres)).toBe(1);
  slow.connection.stream.destroy();
  await read;
  await untilBusy(postgres, 0);
});

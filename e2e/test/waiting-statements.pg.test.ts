import { connect } from "@multipooler/grpc-services/client";
import type { PoolerClient } from "@multipooler/grpc-services/client";
import { residentBytes } from "@multipooler/pooler-process";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { probe } from "./probe.ts";
import { sendStatement, statementFrame } from "./raw-statement.ts";
import { servingPooler, valueOf } from "./serving-pooler.ts";

const MIB = 1024 * 1024;
/** What the README of the program promises, the garbage that is not collected yet included. */
const GROWTH_LIMIT_BYTES = 300 * MIB;
/** Of the 60 statements: four that wait for the session, and those that are not read yet. */
const MOST_THAT_WAIT = 10;
/** What waits does so for as long as its client likes. */
const ONE_SESSION = { "connpool-global-capacity": "1", "connpool-wait-timeout": "0" };

let postgres: TestPostgres;

beforeAll(async () => {
  postgres = await startPostgres();
});

afterAll(async () => {
  await postgres?.[Symbol.asyncDispose]();
});

/** Takes the pooler's session until the signal aborts. */
async function occupy(client: PoolerClient, signal: AbortSignal): Promise<void> {
  const sql = "select pg_sleep(600)";
  client.executeQuery({ query: sql }, { signal }).catch(() => undefined);
  const running = "select count(*)::int as n from pg_stat_activity where query = $1";
  const count = async (): Promise<unknown> =>
    (await postgres.sql(running, { values: [sql] }))[0]?.["n"];
  await expect.poll(count, { timeout: 20_000 }).toBe(1);
}

test(
  "60 clients that send 15 MB each while the session is busy",
  { timeout: 120_000 },
  async () => {
    await using pooler = await servingPooler(postgres, ONE_SESSION);
    const address = await pooler.grpc();
    using client = connect({ address });
    const busy = new AbortController();
    await occupy(client, busy.signal);
    const before = residentBytes(pooler.pid);
    const frame = statementFrame(`select length('${"x".repeat(15_000_000)}')`);
    let refusals = 0;
    const statements = Array.from({ length: 60 }, async () => {
      const trailers = await sendStatement(address, frame);
      if (trailers["grpc-status"] === "0") {
        return "OK";
      }
      refusals += 1;
      return decodeURIComponent(String(trailers["grpc-message"]));
    });
    let peak = 0;
    const refusedSoFar = (): number => {
      peak = Math.max(peak, residentBytes(pooler.pid) - before);
      return refusals;
    };
    await expect
      .poll(refusedSoFar, { timeout: 90_000, interval: 5 })
      .toBeGreaterThan(60 - MOST_THAT_WAIT);
    busy.abort();
    const outcomes = await Promise.all(statements);
    expect(peak, `${Math.round(peak / MIB)} MiB`).toBeLessThan(GROWTH_LIMIT_BYTES);
    // What waited is answered, the others know why they are not.
    expect(outcomes).toContain("OK");
    expect(outcomes).toContainEqual(expect.stringMatching(/^too much waits for a connection: /));
  },
);

test("3000 statements of one client, and one of another", { timeout: 60_000 }, async () => {
  await using pooler = await servingPooler(postgres, ONE_SESSION);
  const address = await pooler.grpc();
  using one = connect({ address });
  using other = connect({ address });
  const abort = new AbortController();
  let answered = 0;
  const flood = Array.from({ length: 3000 }, async () => {
    await one.executeQuery({ query: "select pg_sleep(0.01)" }, { signal: abort.signal });
    answered += 1;
  });
  const ended = Promise.allSettled(flood);
  await flood[0];
  const before = answered;
  expect(await valueOf(other, "select 1")).toBe("1");
  expect(answered - before).toBeLessThan(20);
  expect(await probe(pooler)).toMatchObject({ ready: true });
  abort.abort();
  await ended;
});

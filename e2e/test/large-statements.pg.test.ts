import { connect, GrpcStatusError } from "@multipooler/grpc-services/client";
import { residentBytes, startPooler } from "@multipooler/pooler-process";
import { startPostgres } from "@multipooler/test-postgres";
import { expect, test } from "vitest";
import { flagsFor } from "./flags.ts";

const CLIENTS = 60;
const STATEMENT_BYTES = 15_000_000;
const MIB = 1_048_576;
/** How many statements fit into the queue, by their bytes. */
const WAITING = 4;
/** Beside the 64 MiB of those that wait: those that arrive, and what is not collected yet. */
const GROWTH_LIMIT_BYTES = 384 * MIB;
const SAMPLE_INTERVAL_MS = 20;

test(
  "sixty clients that send 15 MB each to a busy pool are refused or wait, in bounded memory",
  { timeout: 240_000 },
  async () => {
    await using postgres = await startPostgres();
    const flags = { ...flagsFor(postgres), "connpool-global-capacity": "1" };
    await using pooler = startPooler({ flags });
    await pooler.ready(200, { signal: AbortSignal.timeout(20_000) });
    const address = await pooler.grpc();
    using first = connect({ address });
    const abort = new AbortController();
    const { signal } = abort;
    const busy = first
      .executeQuery({ query: "select pg_sleep(600)" }, { signal })
      .catch((error: unknown) => error);
    const sleeping = "select count(*)::int as n from pg_stat_activity where wait_event = 'PgSleep'";
    await expect.poll(async () => (await postgres.sql(sleeping))[0]?.["n"]).toBe(1);

    const before = residentBytes(pooler.pid);
    let peak = before;
    const sampling = setInterval(() => {
      peak = Math.max(peak, residentBytes(pooler.pid));
    }, SAMPLE_INTERVAL_MS);
    const query = `select '${"x".repeat(STATEMENT_BYTES)}'`;
    const clients = Array.from({ length: CLIENTS }, () => connect({ address }));
    const allRefused = Promise.withResolvers<void>();
    const refusals: unknown[] = [];
    const statements = clients.map(async (client) => {
      try {
        await client.executeQuery({ query }, { signal });
      } catch (error) {
        refusals.push(error instanceof GrpcStatusError ? error.diagnostic?.code : error);
        if (refusals.length === CLIENTS - WAITING) {
          allRefused.resolve();
        }
      }
    });
    await allRefused.promise;
    clearInterval(sampling);
    expect(new Set(refusals)).toEqual(new Set(["53300"]));
    const growth = `grew by ${Math.round((peak - before) / MIB)} MiB`;
    expect(peak - before, growth).toBeLessThan(GROWTH_LIMIT_BYTES);
    // Small requests get through.
    expect(await first.isServing("multipooler.v1.MultiPoolerManager")).toBe(true);

    abort.abort();
    await Promise.all([busy, ...statements]);
    for (const client of clients) {
      client.close();
    }
  },
);

import type { PoolerProcess } from "@multipooler/pooler-process";
import { startPostgres } from "@multipooler/test-postgres";
import { expect, test } from "vitest";
import { ServerPair } from "./server-pair.ts";
import { READY_LIMIT_MS, servingPooler } from "./serving-pooler.ts";

const WITHIN = { timeout: READY_LIMIT_MS };
const CHECKS = ["/primary", "/read-write", "/replica", "/read-only", "/health"] as const;

/** The statuses that a load balancer meets, by its three methods. */
async function statuses(pooler: PoolerProcess): Promise<readonly (readonly number[])[]> {
  const http = await pooler.http();
  return await Promise.all(
    ["GET", "HEAD", "OPTIONS"].map((method) =>
      Promise.all(
        CHECKS.map(async (path) => {
          const response = await fetch(`${http}${path}`, { method });
          await response.arrayBuffer();
          return response.status;
        }),
      ),
    ),
  );
}

async function check(pooler: PoolerProcess, path: string): Promise<unknown> {
  const response = await fetch(`${await pooler.http()}${path}`);
  return { status: response.status, body: await response.json() };
}

function thrice(...each: number[]): number[][] {
  return [each, each, each];
}

test("a load balancer finds the primary and its replica by Patroni's paths, and neither without PostgreSQL", async () => {
  await using postgres = await startPostgres();
  await using primary = await servingPooler(postgres);
  await using replica = await servingPooler(postgres, {
    "initial-pooler-type": "replica",
    "service-id": "replica",
  });
  expect(await statuses(primary)).toEqual(thrice(200, 200, 503, 200, 200));
  expect(await statuses(replica)).toEqual(thrice(503, 503, 200, 200, 200));

  // It reads the heartbeats that the primary writes.
  await expect
    .poll(() => check(replica, "/replica?lag=1h"), WITHIN)
    .toMatchObject({ status: 200, body: { takes: true, lag: { ms: expect.any(Number) } } });
  expect(await check(replica, "/replica?lag=lots")).toMatchObject({
    status: 400,
    body: { code: "BAD_LAG" },
  });

  await postgres.stop();
  await expect.poll(() => statuses(primary), WITHIN).toEqual(thrice(503, 503, 503, 503, 503));
  await expect.poll(() => statuses(replica), WITHIN).toEqual(thrice(503, 503, 503, 503, 503));
}, 90_000);

test("a standby that falls behind loses the traffic that has a limit of WAL, and gets it back", async () => {
  await using servers = await ServerPair.start({ setUp: ["create table t (x text)"] });
  await using primary = await servingPooler(servers.primary);
  await using replica = await servingPooler(servers.standby, {
    "initial-pooler-type": "replica",
    "service-id": "replica",
  });
  expect(await statuses(primary)).toEqual(thrice(200, 200, 503, 200, 200));
  await expect
    .poll(() => check(replica, "/replica?lag=16kB"), WITHIN)
    .toMatchObject({ status: 200 });
  await servers.standby.sql("select pg_wal_replay_pause()");
  await servers.primary.sql("insert into t select repeat('x', 1000) from generate_series(1, 1000)");
  await expect
    .poll(() => check(replica, "/replica?lag=16kB"), WITHIN)
    .toMatchObject({
      status: 503,
      body: {
        takes: false,
        refusal: expect.stringMatching(
          /^the replica is \d{6,} bytes behind, of 16384 bytes at most$/,
        ),
      },
    });
  expect(await check(replica, "/read-only?lag=1GB")).toMatchObject({ status: 200 });
  expect(await check(replica, "/replica")).toMatchObject({ status: 200 });
  await servers.standby.sql("select pg_wal_replay_resume()");
  await expect
    .poll(() => check(replica, "/replica?lag=16kB"), WITHIN)
    .toMatchObject({ status: 200 });
}, 90_000);

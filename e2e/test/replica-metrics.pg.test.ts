import { expect, test } from "vitest";
import { ScrapedMetrics } from "./scraped-metrics.ts";
import { ServerPair } from "./server-pair.ts";
import { servingPooler } from "./serving-pooler.ts";

const WITHIN = { timeout: 20_000 };

test("how far a replica is behind", async () => {
  const checked = new Set<string>();
  await using servers = await ServerPair.start({ setUp: ["create table t (x text)"] });
  await using primary = await servingPooler(servers.primary);
  await using replica = await servingPooler(servers.standby, {
    "initial-pooler-type": "replica",
    "service-id": "replica",
  });
  const scrape = async (): Promise<ScrapedMetrics> =>
    await ScrapedMetrics.of(await replica.http(), checked);
  const read = async (name: string): Promise<number> =>
    (await scrape()).sum(`mg_pooler_replication_${name}`);
  await expect.poll(() => read("lag_seconds"), WITHIN).toBeGreaterThan(0);
  await servers.standby.sql("select pg_wal_replay_pause()");
  await servers.primary.sql("insert into t select repeat('x', 1000) from generate_series(1, 1000)");
  await expect.poll(() => read("behind_bytes"), WITHIN).toBeGreaterThan(1_000_000);
  await expect.poll(() => read("lag_seconds"), WITHIN).toBeGreaterThan(0.5);
  await servers.standby.sql("select pg_wal_replay_resume()");
  await expect.poll(() => read("behind_bytes"), WITHIN).toBeLessThan(100_000);
  const { families } = await scrape();
  const ofReplicas = families.filter((family) => family.startsWith("mg_pooler_replication_"));
  expect(ofReplicas.filter((family) => !checked.has(family))).toEqual([]);
  expect(primary.complaints()).toBe("");
}, 90_000);

import { runProgram } from "@multipooler/pooler-process";
import type { PoolerProcess } from "@multipooler/pooler-process";
import { PoolerServingStatus, PoolerType } from "@multipooler/topo";
import { expect, test } from "vitest";
import { Cluster } from "./cluster.ts";
import { probe } from "./probe.ts";
import { QueryLoad } from "./query-load.ts";

const LIMIT_MS = 20_000;
/** The longest time from etcd's return until what it holds is true again. */
const CONVERGENCE_MS = 5000;

/** A pooler that serves as primary and has told etcd so. */
async function startPrimary(cluster: Cluster): Promise<PoolerProcess> {
  const pooler = await cluster.startPooler();
  await expect
    .poll(() => cluster.record(), { timeout: LIMIT_MS })
    .toMatchObject({ type: PoolerType.PRIMARY, servingStatus: PoolerServingStatus.SERVING });
  return pooler;
}

test("etcd is killed and comes back: queries go on, and the pooler says that it is away", async () => {
  await using cluster = await Cluster.start();
  const pooler = await startPrimary(cluster);
  const address = await pooler.grpc();
  await using load = new QueryLoad(address);
  await load.answers(10);

  await cluster.etcd.kill();
  await expect
    .poll(() => probe(pooler), { timeout: LIMIT_MS })
    .toMatchObject({
      ready: true,
      topology: { registered: true, awaySince: expect.any(String), error: expect.any(String) },
    });
  const { stdout } = await runProgram(["ctl", "status", "--address", address]);
  expect(stdout).toMatch(/^topology +etcd: away since \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ \(.+\)$/m);
  expect(stdout).toMatch(/^ready +yes$/m);
  expect(stdout).toMatch(/^role +PRIMARY$/m);
  await load.answers(10);

  await cluster.etcd.start();
  await expect
    .poll(() => probe(pooler), { timeout: CONVERGENCE_MS })
    .not.toHaveProperty(["topology", "awaySince"]);
  expect(await probe(pooler)).toMatchObject({
    ready: true,
    topology: { registered: true, typeSource: "topology" },
  });
  await load.answers(10);
  await expect(load.stop()).resolves.toBeUndefined();
});

test("what changed while etcd was away is in the record soon after its return", async () => {
  await using cluster = await Cluster.start();
  const { postgres, etcd } = cluster;
  const pooler = await startPrimary(cluster);
  await etcd.kill();
  await postgres.kill();
  await pooler.ready(503, { signal: AbortSignal.timeout(LIMIT_MS) });

  await etcd.start();
  await expect
    .poll(() => cluster.record(), { timeout: CONVERGENCE_MS })
    .toMatchObject({ type: PoolerType.PRIMARY, servingStatus: PoolerServingStatus.NOT_SERVING });

  await postgres.start();
  await pooler.ready(200, { signal: AbortSignal.timeout(LIMIT_MS) });
  await expect
    .poll(() => cluster.record(), { timeout: CONVERGENCE_MS })
    .toMatchObject({ type: PoolerType.PRIMARY, servingStatus: PoolerServingStatus.SERVING });
});

test("a pooler that is stopped while etcd is away ends in good order, and soon", async () => {
  await using cluster = await Cluster.start();
  const pooler = await startPrimary(cluster);
  await cluster.etcd.kill();
  await expect
    .poll(() => probe(pooler), { timeout: LIMIT_MS })
    .toHaveProperty(["topology", "awaySince"]);
  const stoppedAt = Date.now();
  expect(await pooler.stop()).toEqual({ code: 0, signal: null });
  expect(Date.now() - stoppedAt).toBeLessThan(10_000);

  await cluster.etcd.start();
  // The last record could not be written, so it says what was true before.
  expect(await cluster.record()).toMatchObject({
    type: PoolerType.PRIMARY,
    servingStatus: PoolerServingStatus.SERVING,
  });
});

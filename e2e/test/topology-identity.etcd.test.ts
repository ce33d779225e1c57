import { rm } from "node:fs/promises";
import { join } from "node:path";
import { runProgram } from "@multipooler/pooler-process";
import { PoolerLifecycleStatus, PoolerServingStatus } from "@multipooler/topo";
import { expect, test } from "vitest";
import { Cluster } from "./cluster.ts";
import { ctlTopo } from "./ctl-topo.ts";
import { flagsFor } from "./flags.ts";
import { probe } from "./probe.ts";
import { argumentsOf, inEtcd } from "./topology-flags.ts";

const LIMIT_MS = 20_000;
/** The longest time from etcd's return until what it holds is true again. */
const CONVERGENCE_MS = 5000;

const SERVING = {
  servingStatus: PoolerServingStatus.SERVING,
  lifecycleStatus: { status: PoolerLifecycleStatus.LIFECYCLE_ACTIVE },
};

test("etcd comes back empty: the pooler's record and its cell are there again", async () => {
  await using cluster = await Cluster.start();
  const { etcd } = cluster;
  const pooler = await cluster.startPooler();
  await expect.poll(() => cluster.record(), { timeout: LIMIT_MS }).toMatchObject(SERVING);
  await etcd.kill();
  await rm(join(etcd.dataDir, "member"), { recursive: true });
  await etcd.start();
  await expect.poll(() => cluster.record(), { timeout: CONVERGENCE_MS }).toMatchObject(SERVING);
  expect((await ctlTopo(inEtcd(etcd), "get", "cell/zone1", "--json")).code).toBe(0);
  await expect
    .poll(() => probe(pooler), { timeout: CONVERGENCE_MS })
    .toMatchObject({ ready: true, topology: { registered: true } });
});

test("a second pooler of the same name ends in one line, and the first one serves on", async () => {
  await using cluster = await Cluster.start();
  const first = await cluster.startPooler();
  await expect.poll(() => cluster.record(), { timeout: LIMIT_MS }).toMatchObject(SERVING);
  const record = await cluster.record();
  const flags = { ...flagsFor(cluster.postgres), ...inEtcd(cluster.etcd) };
  const { code, stderr } = await runProgram(
    argumentsOf({ ...flags, "http-port": "0", "grpc-port": "0" }),
  );
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /^multipooler: multipooler-zone1-e2e: the pooler at \S+:\d+ has used cell "zone1" and service id "e2e" since \S+: stop it, or choose another service id \(see --cell, --service-id\)\n$/,
  );
  expect(await cluster.record()).toEqual(record);
  expect(await probe(first)).toMatchObject({ ready: true, topology: { registered: true } });
});

test("a pooler that was killed is registered again as soon as it is started again", async () => {
  await using cluster = await Cluster.start();
  const killed = await cluster.startPooler();
  await expect.poll(() => cluster.record(), { timeout: LIMIT_MS }).toMatchObject(SERVING);
  killed.kill("SIGKILL");
  await killed.exited;
  const pooler = await cluster.startPooler();
  expect(await probe(pooler)).toMatchObject({ topology: { registered: true } });
  expect(pooler.log.filter(({ msg }) => msg.startsWith("another process uses"))).toEqual([]);
});

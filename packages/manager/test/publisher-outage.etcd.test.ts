import { rm } from "node:fs/promises";
import { join } from "node:path";
import { startEtcd } from "@multipooler/embedded-etcd";
import type { EmbeddedEtcd } from "@multipooler/embedded-etcd";
import { systemClock } from "@multipooler/timing";
import {
  PoolerLifecycleStatus,
  PoolerServingStatus,
  PoolerType as RecordType,
  TopoErrorCode,
  Topology,
  ensureCell,
} from "@multipooler/topo";
import { EtcdBackend } from "@multipooler/topo/etcd";
import { expect, test } from "vitest";
import { PoolerPublisher } from "../src/record/pooler-publisher.ts";
import { PoolerType } from "../src/record/pooler-type.ts";
import { identity, pooler, registered } from "./publishing.ts";
import { RecordingLogger } from "./recording-logger.ts";

test("a record converges within 5 s when etcd comes back from a crash", async () => {
  await using etcd = await startEtcd();
  const { topology, publisher } = await start(etcd);

  await etcd.kill();
  await publisher.until(({ reachable }) => !reachable, undefined);
  expect(publisher.status().lastError?.code).toBe(TopoErrorCode.Unavailable);
  publisher.publish({
    servingStatus: PoolerServingStatus.SERVING,
    lifecycle: { status: PoolerLifecycleStatus.LIFECYCLE_ACTIVE, reason: "PostgreSQL answers" },
  });
  expect(publisher.status()).toMatchObject({ registered: true, upToDate: false });

  await etcd.start();
  const backAt = Date.now();
  // The claim of the name may find out later than the record that etcd is back.
  await publisher.until(
    ({ reachable, upToDate, lastError }) => reachable && upToDate && lastError === undefined,
    undefined,
  );
  expect(Date.now() - backAt).toBeLessThan(5000);
  expect((await topology.cell("zone1").poolers.get(identity.id)).record).toMatchObject({
    type: RecordType.PRIMARY,
    servingStatus: PoolerServingStatus.SERVING,
  });
  await publisher.close();
  await topology.close();
});

test("a record comes back within 5 s when etcd comes back without its data", async () => {
  await using etcd = await startEtcd();
  const { topology, publisher } = await start(etcd);
  await etcd.kill();
  await publisher.until(({ reachable }) => !reachable, undefined);
  await rm(join(etcd.dataDir, "member"), { recursive: true });
  await etcd.start();
  const watching = topology.cell("zone1").poolers.watch({ signal: AbortSignal.timeout(5000) });
  let found = false;
  for await (const event of watching) {
    found = event.type === "put" || (event.type === "snapshot" && event.entries.length > 0);
    if (found) {
      break;
    }
  }
  expect(found).toBe(true);
  await publisher.close();
  await topology.close();
});

/** A pooler that has registered. */
async function start(
  etcd: EmbeddedEtcd,
): Promise<{ readonly topology: Topology; readonly publisher: PoolerPublisher }> {
  const topology = new Topology({
    backend: new EtcdBackend(),
    serverAddresses: [etcd.address],
    root: "/multigres/global",
  });
  await ensureCell(topology, { name: "zone1", serverAddresses: [], root: "/multigres/zone1" });
  const publisher = new PoolerPublisher({
    cell: topology.cell("zone1"),
    pooler: { ...pooler, initialType: PoolerType.Primary },
    rememberedType: undefined,
    logger: new RecordingLogger(),
    clock: systemClock,
    random: Math.random,
  });
  publisher.open();
  await registered(publisher);
  return { topology, publisher };
}

import { rm } from "node:fs/promises";
import { join } from "node:path";
import { startEtcd } from "@multipooler/embedded-etcd";
import type { EmbeddedEtcd } from "@multipooler/embedded-etcd";
import {
  ID_ComponentType,
  PoolerLifecycleStatus,
  PoolerServingStatus,
  PoolerType,
} from "@multipooler/proto/clustermetadata";
import { expect, test } from "vitest";
import { EtcdBackend } from "../src/etcd/index.ts";
import { PoolerPublisher, TopoErrorCode, Topology, ensureCell } from "../src/index.ts";
import type { PublisherStatus } from "../src/index.ts";

const id = { component: ID_ComponentType.MULTIPOOLER, cell: "zone1", name: "abcd1234" };
const silent = (): void => {};

test("a record converges within 5 s when etcd comes back from a crash", async () => {
  await using etcd = await startEtcd();
  const { topology, publisher } = await pooler(etcd);

  await etcd.kill();
  await status(publisher, ({ reachable }) => !reachable);
  expect(publisher.status().lastError?.code).toBe(TopoErrorCode.Unavailable);
  publisher.publish({
    servingStatus: PoolerServingStatus.SERVING,
    lifecycle: { status: PoolerLifecycleStatus.LIFECYCLE_ACTIVE, reason: "PostgreSQL answers" },
  });
  expect(publisher.status()).toMatchObject({ registered: true, upToDate: false });

  await etcd.start();
  const backAt = Date.now();
  await status(publisher, ({ reachable, upToDate }) => reachable && upToDate);
  expect(Date.now() - backAt).toBeLessThan(5000);
  expect(publisher.status().lastError).toBeUndefined();
  expect((await topology.cell("zone1").poolers.get(id)).record).toMatchObject({
    type: PoolerType.PRIMARY,
    servingStatus: PoolerServingStatus.SERVING,
  });
  await publisher.close();
  await topology.close();
});

test("a record comes back within 5 s when etcd comes back without its data", async () => {
  await using etcd = await startEtcd();
  const { topology, publisher } = await pooler(etcd);
  await etcd.kill();
  await status(publisher, ({ reachable }) => !reachable);
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
async function pooler(
  etcd: EmbeddedEtcd,
): Promise<{ readonly topology: Topology; readonly publisher: PoolerPublisher }> {
  const topology = new Topology({
    backend: new EtcdBackend(),
    serverAddresses: [etcd.address],
    root: "/multigres/global",
  });
  await ensureCell(topology, { name: "zone1", serverAddresses: [], root: "/multigres/zone1" });
  const publisher = new PoolerPublisher({
    poolers: topology.cell("zone1").poolers,
    identity: {
      id,
      shardKey: { database: "app", tableGroup: "default", shard: "0-inf" },
      hostname: "localhost",
      portMap: { grpc: 15_432 },
      poolerDir: "",
      pgDataDir: "",
    },
    initialType: PoolerType.PRIMARY,
    logger: { debug: silent, info: silent, warn: silent, error: silent },
  });
  publisher.open();
  await publisher.registered();
  return { topology, publisher };
}

/** Resolves once the status of `publisher` is as wanted. */
async function status(
  publisher: PoolerPublisher,
  holds: (status: PublisherStatus) => boolean,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const look = (): void => {
    if (holds(publisher.status())) {
      resolve();
    }
  };
  const unwatch = publisher.watchStatus(look);
  look();
  await promise;
  unwatch();
}

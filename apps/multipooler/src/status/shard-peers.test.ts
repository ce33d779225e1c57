import { ManualClock } from "@multipooler/timing/testing";
import { ID_ComponentType, Multipooler, Topology, ensureCell } from "@multipooler/topo";
import { MemoryTopology } from "@multipooler/topo/memory";
import { expect, test, vi } from "vitest";
import { ShardPeers } from "./shard-peers.ts";

const WITHIN = { timeout: 20_000 };
const SHARD = { database: "postgres", tableGroup: "default", shard: "0-inf" };

function record(name: string, shard = SHARD): Multipooler {
  return Multipooler.fromPartial({
    id: { component: ID_ComponentType.MULTIPOOLER, cell: "zone1", name },
    shardKey: shard,
    hostname: "db1",
    portMap: { grpc: 15270 },
  });
}

async function topologyWith(...records: readonly Multipooler[]): Promise<Topology> {
  const topology = new Topology({
    backend: new MemoryTopology(),
    serverAddresses: ["memory"],
    root: "/global",
  });
  await ensureCell(topology, { name: "zone1", serverAddresses: [], root: "/zone1" });
  for (const each of records) {
    if (each.id !== undefined) {
      await topology.cell("zone1").poolers.create(each.id, each);
    }
  }
  return topology;
}

test("the poolers of the shard are read while somebody looks, and those of others are left out", async () => {
  const topology = await topologyWith(
    record("a"),
    record("b"),
    record("c", { ...SHARD, shard: "x" }),
  );
  const clock = new ManualClock();
  let isWatched = false;
  const peers = new ShardPeers({
    topology,
    self: () => ({ pooler: { cell: "zone1", name: "a" }, shard: SHARD }),
    isWatched: () => isWatched,
    clock,
  });
  peers.open();
  await clock.advance(60_000);
  expect(peers.rows).toBeUndefined();
  isWatched = true;
  peers.wake();
  await vi.waitFor(() => expect(peers.rows).toHaveLength(2), WITHIN);
  expect(peers.rows).toMatchObject([
    { name: "zone1/a", isSelf: true, address: "db1:15270", lifecycle: "UNKNOWN" },
    { name: "zone1/b", isSelf: false },
  ]);
  await topology.close();
  await clock.advance(5000);
  await vi.waitFor(() => expect(peers.error).toBeDefined(), WITHIN);
  expect(peers.rows).toHaveLength(2);
  await peers.close();
  expect(clock.pending).toBe(0);
});

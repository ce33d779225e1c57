import { GrpcServer } from "@multipooler/grpc-services";
import { MultiPoolerManager, PoolerType, postgresDatabase } from "@multipooler/manager";
import { MultiPooler } from "@multipooler/poolerserver";
import { Topology } from "@multipooler/topo";
import { MemoryTopology } from "@multipooler/topo/memory";
import { BENCH_LOGGER, BENCH_SHARD } from "./pooler.ts";
import type { PostgresPlace } from "./subject.ts";

/** Everything that the shipped program composes for its gRPC port, in this process. */
export async function openGrpcPooler(
  { host, port, user }: PostgresPlace,
  callers: number,
): Promise<{ address: string; close: () => Promise<void> }> {
  const topology = new Topology({
    backend: new MemoryTopology(),
    serverAddresses: ["memory"],
    root: "/multipooler",
    homeCell: { name: "bench", serverAddresses: [], root: "/bench" },
  });
  const manager = new MultiPoolerManager({
    controller: new MultiPooler({ shard: BENCH_SHARD, capacity: callers, logger: BENCH_LOGGER }),
    topology,
    topologyName: "memory",
    pooler: {
      identity: { cell: "bench", name: "bench" },
      shard: { database: "postgres", ...BENCH_SHARD },
      initialType: PoolerType.Primary,
      hostname: "localhost",
      ports: () => ({}),
    },
    database: postgresDatabase({
      address: { type: "tcp", host, port },
      database: "postgres",
      user,
      password: () => undefined,
    }),
    logger: BENCH_LOGGER,
  });
  const grpc = new GrpcServer({
    manager,
    host: "127.0.0.1",
    port: 0,
    version: "0.0.0",
    logger: BENCH_LOGGER,
  });
  await manager.open({ transports: [grpc] });
  await untilReady(manager);
  return {
    address: `127.0.0.1:${grpc.port}`,
    close: async () => {
      await manager.close();
      await topology.close();
    },
  };
}

async function untilReady(manager: MultiPoolerManager): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const check = (): void => {
    const { ready, serving } = manager.status();
    if (ready && serving.current.status === "SERVING") {
      resolve();
    }
  };
  const stop = manager.watchStatus(check);
  check();
  await promise;
  stop();
}

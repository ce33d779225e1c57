import { GrpcServer } from "@multipooler/grpc-services";
import { connect } from "@multipooler/grpc-services/client";
import { MultiPoolerManager, PoolerType } from "@multipooler/manager";
import { Topology, ensureCell } from "@multipooler/topo";
import { MemoryTopology } from "@multipooler/topo/memory";
import { expect, test } from "vitest";
import { MEMORY_DATABASE } from "./memory-database.ts";
import { OutsideConsumer } from "./outside-consumer.ts";

const LOGGER = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

test("a controller of somebody else, made of two tarballs and a README, is served over gRPC without PostgreSQL", async () => {
  await using consumer = await OutsideConsumer.create();
  await consumer.install("query-service");
  await consumer.install("controller-api");
  expect(await consumer.installed()).toEqual([
    "@multipooler/controller-api",
    "@multipooler/query-service",
  ]);
  expect(await consumer.manifest("query-service")).not.toHaveProperty("dependencies");
  expect(await consumer.manifest("controller-api")).toMatchObject({
    dependencies: { "@multipooler/query-service": expect.stringMatching(/^\^\d+\.\d+\.\d+$/) },
  });
  await consumer.compileExample("controller-api");
  const controller = await consumer.instance("EchoController");

  await using stores = new AsyncDisposableStack();
  const topology = new Topology({
    backend: new MemoryTopology(),
    serverAddresses: ["memory"],
    root: "/test/global",
  });
  stores.defer(() => topology.close());
  await ensureCell(topology, { name: "zone1", serverAddresses: [], root: "/test/zone1" });
  await using manager: MultiPoolerManager = new MultiPoolerManager({
    controller,
    topology,
    topologyName: "memory",
    pooler: {
      identity: { cell: "zone1", name: "echo" },
      shard: { database: "memory", tableGroup: "default", shard: "0-inf" },
      initialType: PoolerType.Primary,
      hostname: "localhost",
      ports: () => ({ grpc: server.port ?? 0 }),
    },
    database: MEMORY_DATABASE,
    logger: LOGGER,
  });
  const server: GrpcServer = new GrpcServer({
    manager,
    host: "127.0.0.1",
    port: 0,
    version: "1.0.0",
    logger: LOGGER,
  });
  const ready = Promise.withResolvers<void>();
  manager.watchStatus((status) => {
    if (status.ready) {
      ready.resolve();
    }
  });
  await manager.open({ transports: [server] });
  await ready.promise;

  using client = connect({ address: `127.0.0.1:${server.port}` });
  expect(await client.isServing("")).toBe(true);
  const { result } = await client.executeQuery({ query: "hello, Grüße" });
  expect(result).toMatchObject({ commandTag: "SELECT 1", fields: [{ name: "echo" }] });
  expect(result?.rows.map(({ values }) => Buffer.from(values).toString())).toEqual([
    "hello, Grüße",
  ]);
  const unknown = client.executeQuery({ query: "", options: { reservedConnectionId: 1n } });
  await expect(unknown).rejects.toMatchObject({
    code: "UNIMPLEMENTED",
    message: "simple at reserved is not offered",
  });
  await manager.close();
  expect(controller.isServing()).toBe(false);
});

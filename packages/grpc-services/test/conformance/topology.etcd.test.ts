import { startEtcd } from "@multipooler/embedded-etcd";
import type { EmbeddedEtcd } from "@multipooler/embedded-etcd";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { Multipooler } from "@multipooler/proto/clustermetadata";
import { RangeRequest, RangeResponse } from "@multipooler/proto/etcd";
import { EtcdBackend } from "@multipooler/topo/etcd";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ConformingPooler, GLOBAL_ROOT } from "./conforming-pooler.ts";
import { useScene } from "./scene.ts";

const KEY = `${GLOBAL_ROOT}/zone1/poolers/multipooler-zone1-a/Pooler`;
const scene = useScene();
let etcd: EmbeddedEtcd;

beforeAll(async () => {
  etcd = await startEtcd();
});

afterAll(async () => {
  await etcd?.[Symbol.asyncDispose]();
});

/** A pooler with its record in etcd. */
async function startPooler(): Promise<ConformingPooler> {
  const store = { backend: new EtcdBackend(), serverAddresses: [etcd.address] };
  return await ConformingPooler.start(scene.postgres, { store });
}

/** What etcd has at the key, read with etcd's own API. */
async function recordInEtcd(): Promise<Multipooler | undefined> {
  const client = new Client(etcd.address, credentials.createInsecure());
  try {
    const { promise, resolve, reject } = Promise.withResolvers<RangeResponse>();
    client.makeUnaryRequest(
      "/etcdserverpb.KV/Range",
      (request: RangeRequest) => Buffer.from(RangeRequest.encode(request).finish()),
      (bytes) => RangeResponse.decode(bytes),
      RangeRequest.fromPartial({ key: Buffer.from(KEY) }),
      new Metadata(),
      (error, response) => (response === undefined ? reject(error) : resolve(response)),
    );
    const [found] = (await promise).kvs;
    return found && Multipooler.decode(found.value);
  } finally {
    client.close();
  }
}

test("etcd key and binary value decodable as Multipooler", async () => {
  await using pooler = await startPooler();
  const { server } = pooler;
  await expect.poll(recordInEtcd).toMatchObject({
    id: { component: 1, cell: "zone1", name: "a" },
    shardKey: { database: "postgres", tableGroup: "default", shard: "0-inf" },
    servingStatus: 0,
    type: 1,
    hostname: "localhost",
    portMap: { grpc: server.port },
    lifecycleStatus: { status: 2 },
    routingState: { role: 1 },
  });
});

test("re-registration after restart overwrites", async () => {
  await using pooler = await startPooler();
  const { server } = pooler;
  await expect
    .poll(recordInEtcd)
    .toMatchObject({ portMap: { grpc: server.port }, lifecycleStatus: { status: 2 } });
});

test("shutdown record", async () => {
  await using pooler = await startPooler();
  await pooler.manager.close();
  const record = await recordInEtcd();
  expect(record).toMatchObject({
    id: { cell: "zone1", name: "a" },
    servingStatus: 1,
    lifecycleStatus: { status: 4 },
  });
  expect(record?.routingState).toBeUndefined();
});

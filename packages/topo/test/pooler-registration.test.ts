import { getEventListeners } from "node:events";
import {
  Multipooler,
  PoolerLifecycleStatus,
  PoolerServingStatus,
  PoolerType,
  RoutingRole,
} from "@multipooler/proto/clustermetadata";
import { expect, test } from "vitest";
import { TopoError, TopoErrorCode } from "../src/error.ts";
import { identity, open, STARTS_AT, world } from "./publishing.ts";

test("a first registration creates the record, with the type that was asked for", async () => {
  const made = await world();
  const publisher = open(made, { initialType: PoolerType.PRIMARY });
  expect(publisher.status()).toMatchObject({ registered: false, type: undefined });
  await publisher.registered();
  expect(await made.record()).toEqual({
    ...Multipooler.create(),
    ...identity,
    type: PoolerType.PRIMARY,
    servingStatus: PoolerServingStatus.NOT_SERVING,
    lifecycleStatus: {
      status: PoolerLifecycleStatus.LIFECYCLE_STARTING,
      reason: "process starting",
      updated: new Date(STARTS_AT),
    },
  });
  expect(publisher.status()).toEqual({
    registered: true,
    reachable: true,
    upToDate: true,
    type: { value: PoolerType.PRIMARY, source: "topology" },
    lastError: undefined,
    lastPublishedAt: new Date(STARTS_AT),
  });
});

test.for([PoolerType.UNKNOWN, PoolerType.PRIMARY, PoolerType.REPLICA])(
  "a restart keeps type %i, whatever is asked for or remembered",
  async (type) => {
    const made = await world();
    const first = open(made, { initialType: type });
    await first.registered();
    await first.close();
    const others = [PoolerType.UNKNOWN, PoolerType.PRIMARY, PoolerType.REPLICA];
    for (const other of others) {
      const publisher = open(made, { initialType: other, rememberedType: other });
      await publisher.registered();
      expect(publisher.status().type).toEqual({ value: type, source: "topology" });
      expect((await made.record()).type).toBe(type);
      await publisher.close();
      expect((await made.record()).type).toBe(type);
    }
  },
);

test("a registration replaces what the pooler says of itself, and nothing else", async () => {
  const made = await world();
  const keyRange = { start: Uint8Array.of(1), end: Uint8Array.of(2) };
  await made.poolers.create(identity.id, {
    ...Multipooler.create(),
    id: { ...identity.id },
    shardKey: { ...identity.shardKey },
    keyRange,
    type: PoolerType.PRIMARY,
    servingStatus: PoolerServingStatus.SERVING,
    hostname: "old.example",
    portMap: { grpc: 1, gone: 2 },
    routingState: { role: RoutingRole.ROUTING_ROLE_PRIMARY, rule: undefined },
  });
  await open(made).registered();
  const record = await made.record();
  expect(record).toMatchObject({ keyRange, type: PoolerType.PRIMARY, hostname: "db1.example" });
  expect(record).toMatchObject({ servingStatus: PoolerServingStatus.NOT_SERVING });
  expect(record.portMap).toEqual(identity.portMap);
  expect(record.routingState).toBeUndefined();
});

test.for(["database", "tableGroup", "shard"] as const)(
  "the record of a pooler for another %s is refused and left alone, until it is gone",
  async (part) => {
    const made = await world();
    const theirs = {
      ...Multipooler.create(),
      id: { ...identity.id },
      shardKey: { ...identity.shardKey, [part]: "other" },
      type: PoolerType.PRIMARY,
    };
    await made.poolers.create(identity.id, theirs);
    const publisher = open(made);
    await expect(publisher.registered()).rejects.toMatchObject({
      code: TopoErrorCode.RecordConflict,
      key: "multipooler-zone1-abcd1234",
    });
    await made.clock.advance(120_000);
    expect(publisher.status()).toMatchObject({ registered: false, type: undefined });
    expect(await made.record()).toEqual(theirs);
    await made.poolers.delete(identity.id);
    await made.clock.advance(30_000);
    expect(publisher.status()).toMatchObject({ registered: true, lastError: undefined });
    expect(await made.record()).toMatchObject({ type: PoolerType.REPLICA });
  },
);

test("attempts back off from 10 ms to 30 s, and never stop", async () => {
  const made = await world();
  made.backend.setReachable(false);
  const attempts: number[] = [];
  const { poolers } = made;
  const publisher = open(made, {
    poolers: {
      ...poolers,
      watch: (options) => poolers.watch(options),
      create: async () => {
        attempts.push(made.clock.now() - STARTS_AT);
        throw away();
      },
    },
  });
  await made.clock.advance(150_000);
  const waits = attempts.slice(1).map((at, index) => at - (attempts[index] ?? 0));
  expect(waits.slice(0, 4)).toEqual([10, 20, 40, 80]);
  expect(waits.slice(-2)).toEqual([30_000, 30_000]);
  expect(publisher.status()).toMatchObject({ registered: false, reachable: false });
});

test("without a record and without a memory of one, the type is unknown, not the one asked for", async () => {
  const made = await world();
  made.backend.setReachable(false);
  const publisher = open(made, { initialType: PoolerType.PRIMARY });
  await made.clock.advance(60_000);
  expect(publisher.status()).toMatchObject({
    registered: false,
    reachable: false,
    type: undefined,
    lastError: { code: TopoErrorCode.Unavailable },
  });
});

test("while the topology is away the remembered type stands; then the record decides", async () => {
  const made = await world();
  const first = open(made, { initialType: PoolerType.PRIMARY });
  await first.registered();
  await first.close();
  await made.poolers.update(identity.id, (found) => ({ ...found, type: PoolerType.REPLICA }));
  made.backend.setReachable(false);
  const publisher = open(made, { rememberedType: PoolerType.PRIMARY });
  const remembered = { value: PoolerType.PRIMARY, source: "remembered" };
  expect(publisher.status().type).toEqual(remembered);
  await made.clock.advance(60_000);
  expect(publisher.status().type).toEqual(remembered);
  const seen: unknown[] = [];
  publisher.watchStatus(({ type }) => seen.push(type));
  made.backend.setReachable(true);
  await made.clock.advance(2000);
  expect(publisher.status()).toMatchObject({
    registered: true,
    type: { value: PoolerType.REPLICA, source: "topology" },
  });
  expect(seen.at(-1)).toEqual({ value: PoolerType.REPLICA, source: "topology" });
});

test("where the record is gone, the remembered type goes before the initial one", async () => {
  const made = await world();
  const publisher = open(made, {
    initialType: PoolerType.PRIMARY,
    rememberedType: PoolerType.REPLICA,
  });
  await publisher.registered();
  expect((await made.record()).type).toBe(PoolerType.REPLICA);
});

test("a damaged record is reported and left for somebody to look at", async () => {
  const made = await world();
  const key = "/zone1/poolers/multipooler-zone1-abcd1234/Pooler";
  const store = made.backend.connect(["memory"]);
  await store.put(key, Buffer.from("no record"));
  const publisher = open(made);
  await expect(publisher.registered()).rejects.toMatchObject({
    code: TopoErrorCode.InvalidRecord,
    key,
  });
  await made.clock.advance(60_000);
  expect(Buffer.from((await store.get(key))?.value ?? []).toString()).toBe("no record");
  await store.close();
});

test("waiting for the registration ends with the signal, the close, and leaves no listener", async () => {
  const made = await world();
  made.backend.setReachable(false);
  const publisher = open(made);
  const controller = new AbortController();
  const { signal } = controller;
  const waiting = publisher.registered({ signal });
  const forever = publisher.registered();
  controller.abort();
  await expect(waiting).rejects.toMatchObject({ code: TopoErrorCode.Interrupted });
  expect(getEventListeners(signal, "abort")).toEqual([]);
  const closing = publisher.close().catch(() => {});
  await expect(forever).rejects.toMatchObject({ code: TopoErrorCode.Interrupted });
  await closing;
});

function away(): TopoError {
  return new TopoError({ code: TopoErrorCode.Unavailable, key: "/", message: "away" });
}

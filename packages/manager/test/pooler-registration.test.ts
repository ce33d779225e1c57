import { getEventListeners } from "node:events";
import {
  Multipooler,
  PoolerLifecycleStatus,
  PoolerServingStatus,
  PoolerType as RecordType,
  RoutingRole,
  TopoError,
  TopoErrorCode,
} from "@multipooler/topo";
import { expect, test } from "vitest";
import { ManagerErrorCode } from "../src/manager-error.ts";
import { PoolerType } from "../src/record/pooler-type.ts";
import { RecordingLogger } from "./recording-logger.ts";
import { identity, open, registered, STARTS_AT, world } from "./publishing.ts";

test("a first registration creates the record, with the type that was asked for", async () => {
  const made = await world();
  const publisher = open(made, { initialType: PoolerType.Primary });
  expect(publisher.status()).toMatchObject({ registered: false, type: undefined });
  await registered(publisher);
  expect(await made.record()).toEqual({
    ...Multipooler.create(),
    ...identity,
    type: RecordType.PRIMARY,
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
    type: { value: PoolerType.Primary, source: "topology" },
    otherOwner: undefined,
    lastError: undefined,
    lastPublishedAt: new Date(STARTS_AT),
  });
});

test.for([PoolerType.Unknown, PoolerType.Primary, PoolerType.Replica])(
  "a restart keeps type %s, whatever is asked for or remembered",
  async (type) => {
    const made = await world();
    const first = open(made, { initialType: type });
    await registered(first);
    await first.close();
    const others = [PoolerType.Unknown, PoolerType.Primary, PoolerType.Replica];
    for (const other of others) {
      const publisher = open(made, { initialType: other, rememberedType: other });
      await registered(publisher);
      expect(publisher.status().type).toEqual({ value: type, source: "topology" });
      expect((await made.record()).type).toBe(RecordType[type]);
      await publisher.close();
      expect((await made.record()).type).toBe(RecordType[type]);
    }
  },
);

test("a type that is not the configured one is logged once for each place where it is found", async () => {
  const made = await world();
  const first = open(made, { initialType: PoolerType.Replica });
  await registered(first);
  await first.close();
  const logger = new RecordingLogger();
  const { Unknown: initialType, Primary: rememberedType } = PoolerType;
  const publisher = open(made, { initialType, rememberedType, logger });
  await registered(publisher);
  // A change by the operator is none of it.
  await made.poolers.update(identity.id, (found) => ({ ...found, type: RecordType.PRIMARY }));
  await publisher.until(({ type }) => type?.value === PoolerType.Primary, undefined);
  await publisher.close();
  expect(logger.lines.filter(({ level }) => level === "info")).toEqual([
    {
      level: "info",
      fields: expect.objectContaining({ type: "PRIMARY", initialType: "UNKNOWN" }),
      message:
        "the type is the one that is remembered in the pooler's directory, not the initial type",
    },
    {
      level: "info",
      fields: expect.objectContaining({ type: "REPLICA", initialType: "UNKNOWN" }),
      message: "the type is the one in the topology's record, not the initial type",
    },
  ]);
});

test("nothing is logged of a type that is the configured one", async () => {
  const logger = new RecordingLogger();
  const made = await world();
  const publisher = open(made, { rememberedType: PoolerType.Replica, logger });
  await registered(publisher);
  await publisher.close();
  expect(logger.messages("info")).toEqual([]);
});

test("a registration replaces what the pooler says of itself, and nothing else", async () => {
  const made = await world();
  const keyRange = { start: Uint8Array.of(1), end: Uint8Array.of(2) };
  await made.poolers.create(identity.id, {
    ...Multipooler.create(),
    id: { ...identity.id },
    shardKey: { ...identity.shardKey },
    keyRange,
    type: RecordType.PRIMARY,
    servingStatus: PoolerServingStatus.SERVING,
    hostname: "old.example",
    portMap: { grpc: 1, gone: 2 },
    routingState: { role: RoutingRole.ROUTING_ROLE_PRIMARY, rule: undefined },
  });
  await registered(open(made));
  const record = await made.record();
  expect(record).toMatchObject({ keyRange, type: RecordType.PRIMARY, hostname: "db1.example" });
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
      type: RecordType.PRIMARY,
    };
    await made.poolers.create(identity.id, theirs);
    const publisher = open(made);
    await expect(registered(publisher)).rejects.toMatchObject({
      code: ManagerErrorCode.RegistrationRefused,
      message: expect.stringMatching(/^multipooler-zone1-abcd1234: /),
    });
    await made.clock.advance(120_000);
    expect(publisher.status()).toMatchObject({ registered: false, type: undefined });
    expect(await made.record()).toEqual(theirs);
    await made.poolers.delete(identity.id);
    await made.clock.advance(30_000);
    expect(publisher.status()).toMatchObject({ registered: true, lastError: undefined });
    expect(await made.record()).toMatchObject({ type: RecordType.REPLICA });
  },
);

test("attempts back off from 10 ms to 30 s, and never stop", async () => {
  const made = await world();
  made.backend.setReachable(false);
  const attempts: number[] = [];
  const publisher = open(made, {
    cell: {
      ...made.cell,
      openSession: async () => {
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
  const publisher = open(made, { initialType: PoolerType.Primary });
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
  const first = open(made, { initialType: PoolerType.Primary });
  await registered(first);
  await first.close();
  await made.poolers.update(identity.id, (found) => ({ ...found, type: RecordType.REPLICA }));
  made.backend.setReachable(false);
  const publisher = open(made, { rememberedType: PoolerType.Primary });
  const remembered = { value: PoolerType.Primary, source: "remembered" };
  expect(publisher.status().type).toEqual(remembered);
  await made.clock.advance(60_000);
  expect(publisher.status().type).toEqual(remembered);
  const seen: unknown[] = [];
  publisher.watchStatus(({ type }) => seen.push(type));
  made.backend.setReachable(true);
  await made.clock.advance(2000);
  expect(publisher.status()).toMatchObject({
    registered: true,
    type: { value: PoolerType.Replica, source: "topology" },
  });
  expect(seen.at(-1)).toEqual({ value: PoolerType.Replica, source: "topology" });
});

test("where the record is gone, the remembered type goes before the initial one", async () => {
  const made = await world();
  const publisher = open(made, {
    initialType: PoolerType.Primary,
    rememberedType: PoolerType.Replica,
  });
  await registered(publisher);
  expect((await made.record()).type).toBe(RecordType.REPLICA);
});

test("a damaged record is reported and left for somebody to look at", async () => {
  const made = await world();
  const key = "/zone1/poolers/multipooler-zone1-abcd1234/Pooler";
  const store = made.backend.connect(["memory"]);
  await store.put(key, Buffer.from("no record"));
  const publisher = open(made);
  await expect(registered(publisher)).rejects.toMatchObject({
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
  const waiting = registered(publisher, { signal });
  const forever = registered(publisher);
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

import {
  PoolerLifecycleStatus,
  PoolerServingStatus,
  PoolerType as RecordType,
  RoutingRole,
  TopoErrorCode,
} from "@multipooler/topo";
import { expect, test } from "vitest";
import { PoolerType, poolerTypeOf } from "../src/record/pooler-type.ts";
import type { PublisherStatus } from "../src/record/publisher-status.ts";
import { identity, open, pooler, registered, SERVING, STARTS_AT, world } from "./publishing.ts";
import type { World } from "./publishing.ts";

test("each change is written, and what changes nothing is not", async () => {
  const made = await world();
  const publisher = open(made);
  await registered(publisher);
  await made.clock.advance(1000);
  publisher.publish(SERVING);
  expect(publisher.status().upToDate).toBe(false);
  await made.clock.advance(0);
  expect(publisher.status()).toMatchObject({
    upToDate: true,
    lastPublishedAt: new Date(STARTS_AT + 1000),
  });
  expect(await made.record()).toMatchObject({
    servingStatus: PoolerServingStatus.SERVING,
    lifecycleStatus: { ...SERVING.lifecycle, updated: new Date(STARTS_AT + 1000) },
    routingState: SERVING.routingState,
  });
  publisher.publish(SERVING);
  publisher.publish({});
  await made.clock.advance(300_000);
  expect(made.writes).toBe(2);
});

test("a port that has changed is written with the next change, and found without one", async () => {
  const made = await world();
  let portMap = identity.portMap;
  const publisher = open(made, { pooler: { ...pooler, ports: () => portMap } });
  await registered(publisher);
  for (const postgres of [6432, 7432]) {
    portMap = { ...identity.portMap, postgres };
    publisher.publish({});
    expect(publisher.status().upToDate).toBe(false);
    await made.clock.advance(0);
    expect((await made.record()).portMap).toEqual(portMap);
  }
  portMap = { ...identity.portMap, postgres: 8432 };
  await made.clock.advance(30_000);
  expect((await made.record()).portMap).toEqual(portMap);
});

test("a replica's rule is nobody's business, so that its changes are not written", async () => {
  const made = await world();
  const publisher = open(made);
  await registered(publisher);
  const role = RoutingRole.ROUTING_ROLE_REPLICA;
  const rule = (coordinatorTerm: bigint) => ({ coordinatorTerm, leaderSubterm: 0n });
  publisher.publish({ routingState: { role, rule: rule(1n) } });
  await made.clock.advance(0);
  publisher.publish({ routingState: { role, rule: rule(2n) } });
  await made.clock.advance(0);
  expect((await made.record()).routingState).toEqual({ role, rule: undefined });
  expect(made.writes).toBe(2);
  const primary = { role: RoutingRole.ROUTING_ROLE_PRIMARY, rule: rule(3n) };
  publisher.publish({ routingState: primary });
  await made.clock.advance(0);
  expect((await made.record()).routingState).toEqual(primary);
});

test("of changes that come while a write is under way, the latest is written next", async () => {
  const made = await world();
  const publisher = open(made);
  await registered(publisher);
  made.network = "is silent";
  publisher.publish(SERVING);
  await made.clock.advance(0);
  const seen: (string | undefined)[] = [];
  const watching = readReasons(made, seen);
  for (const reason of ["one", "two", "three"]) {
    publisher.publish({ lifecycle: { ...SERVING.lifecycle, reason } });
  }
  made.network = "works";
  await made.clock.advance(6000);
  await watching.stop();
  expect(seen).toEqual(["process starting", "three"]);
});

test("a write without an answer ends after 5 s, and is found to have happened by reading", async () => {
  const made = await world();
  made.network = "loses answers";
  const publisher = open(made);
  await made.clock.advance(4999);
  expect(publisher.status()).toMatchObject({ registered: false });
  expect(publisher.status().type).toEqual({ value: PoolerType.Replica, source: "topology" });
  await made.clock.advance(11);
  expect(publisher.status()).toMatchObject({
    registered: true,
    upToDate: true,
    lastError: undefined,
  });
  const { version } = await made.poolers.get(identity.id);
  made.network = "loses answers";
  publisher.publish(SERVING);
  await made.clock.advance(0);
  // The watch shows what nobody answered.
  expect(publisher.status().upToDate).toBe(true);
  await made.clock.advance(60_000);
  expect(publisher.status()).toMatchObject({ registered: true, lastError: undefined });
  expect((await made.poolers.get(identity.id)).version).toBe(version + 1n);
});

test("a type that somebody else sets is told, and kept by what is written later", async () => {
  const made = await world();
  const publisher = open(made);
  await registered(publisher);
  const told: PublisherStatus[] = [];
  const unwatch = publisher.watchStatus((status) => told.push(status));
  await made.poolers.update(identity.id, (found) => ({ ...found, type: RecordType.PRIMARY }));
  await made.clock.advance(0);
  expect(told.map(({ type }) => type?.value)).toEqual([PoolerType.Primary]);
  expect(made.writes).toBe(1);
  unwatch();
  publisher.publish(SERVING);
  await made.clock.advance(0);
  expect(told).toHaveLength(1);
  expect(await made.record()).toMatchObject({
    type: RecordType.PRIMARY,
    servingStatus: PoolerServingStatus.SERVING,
  });
});

test("what somebody else does before the answer to a write arrives is not forgotten by it", async () => {
  const made = await world();
  const publisher = open(made);
  await registered(publisher);
  made.network = "is slow";
  publisher.publish(SERVING);
  await made.clock.advance(0);
  await made.poolers.update(identity.id, (found) => ({ ...found, type: RecordType.PRIMARY }));
  await made.clock.advance(0);
  made.release();
  await made.clock.advance(0);
  expect(publisher.status()).toMatchObject({ upToDate: true, type: { value: PoolerType.Primary } });

  publisher.publish({ servingStatus: PoolerServingStatus.NOT_SERVING });
  await made.clock.advance(0);
  await made.poolers.delete(identity.id);
  await made.clock.advance(0);
  made.network = "works";
  made.release();
  await made.clock.advance(0);
  expect(publisher.status().upToDate).toBe(false);
  await made.clock.advance(30_000);
  expect(await made.record()).toMatchObject({
    type: RecordType.PRIMARY,
    servingStatus: PoolerServingStatus.NOT_SERVING,
  });
});

test("a record that somebody deletes comes back within 30 s, with its type", async () => {
  const made = await world();
  const publisher = open(made);
  await registered(publisher);
  await made.poolers.update(identity.id, (found) => ({ ...found, type: RecordType.PRIMARY }));
  await made.clock.advance(0);
  await made.poolers.delete(identity.id);
  await made.clock.advance(0);
  expect(publisher.status().upToDate).toBe(false);
  await expect(made.record()).rejects.toMatchObject({ code: TopoErrorCode.NoNode });
  await made.clock.advance(30_000);
  expect(publisher.status().upToDate).toBe(true);
  expect((await made.record()).type).toBe(RecordType.PRIMARY);
});

test("what no watch has told of the record is found out within 30 s", async () => {
  const made = await world();
  made.isDeaf = true;
  const publisher = open(made);
  await registered(publisher);
  await made.poolers.update(identity.id, (found) => ({ ...found, type: RecordType.PRIMARY }));
  await made.clock.advance(30_000);
  expect(publisher.status().type?.value).toBe(PoolerType.Primary);
  expect(made.writes).toBe(1);
  await made.poolers.delete(identity.id);
  await made.clock.advance(31_000);
  expect((await made.record()).type).toBe(RecordType.PRIMARY);
});

test("a record that is gone without a word of the watch, and cannot be written, is not registered", async () => {
  const made = await world();
  made.isDeaf = true;
  const publisher = open(made);
  await registered(publisher);
  await made.poolers.delete(identity.id);
  made.network = "is silent";
  await made.clock.advance(31_000);
  expect(publisher.status()).toMatchObject({ registered: false, upToDate: false });
  made.network = "works";
  await made.clock.advance(60_000);
  expect(publisher.status()).toMatchObject({ registered: true, upToDate: true });
});

test("a record that somebody else writes over is put right within 30 s, and not at once", async () => {
  const made = await world();
  const publisher = open(made);
  await registered(publisher);
  for (const hostname of ["one.example", "two.example"]) {
    await made.poolers.update(identity.id, (found) => ({ ...found, hostname }));
    await made.clock.advance(0);
  }
  expect((await made.record()).hostname).toBe("two.example");
  expect(publisher.status().upToDate).toBe(false);
  expect(made.warnings).toHaveLength(1);
  await made.clock.advance(30_000);
  expect(publisher.status().upToDate).toBe(true);
  expect((await made.record()).hostname).toBe("db1.example");
  expect(made.writes).toBe(2);
});

test("during an outage the status says so, and the record converges as soon as it is over", async () => {
  const made = await world();
  const publisher = open(made);
  await registered(publisher);
  made.backend.setReachable(false);
  await made.clock.advance(0);
  expect(publisher.status()).toMatchObject({
    registered: true,
    reachable: false,
    lastError: { code: TopoErrorCode.Unavailable },
  });
  publisher.publish(SERVING);
  await made.clock.advance(600_000);
  expect(publisher.status()).toMatchObject({ reachable: false, upToDate: false });
  made.backend.setReachable(true);
  await made.clock.advance(0);
  expect(publisher.status()).toMatchObject({
    reachable: true,
    upToDate: true,
    lastError: undefined,
  });
  expect((await made.record()).servingStatus).toBe(PoolerServingStatus.SERVING);
});

test("a close writes the last state and leaves the record", async () => {
  const made = await world();
  const publisher = open(made, { initialType: PoolerType.Primary });
  await registered(publisher);
  publisher.publish(SERVING);
  await made.clock.advance(1000);
  await Promise.all([publisher.close({ reason: "SIGTERM" }), publisher.close()]);
  publisher.publish(SERVING);
  expect(() => publisher.open()).toThrow("closed");
  expect(await made.record()).toMatchObject({
    type: RecordType.PRIMARY,
    servingStatus: PoolerServingStatus.NOT_SERVING,
    routingState: undefined,
    lifecycleStatus: {
      status: PoolerLifecycleStatus.LIFECYCLE_SHUTDOWN,
      reason: "SIGTERM",
      updated: new Date(STARTS_AT + 1000),
    },
  });
  expect(made.writes).toBe(3);
});

test("a close while a write is under way ends it and writes the last state", async () => {
  const made = await world();
  const publisher = open(made);
  await registered(publisher);
  made.network = "is silent";
  publisher.publish(SERVING);
  await made.clock.advance(0);
  const closing = publisher.close();
  made.network = "works";
  await closing;
  expect((await made.record()).lifecycleStatus?.status).toBe(
    PoolerLifecycleStatus.LIFECYCLE_SHUTDOWN,
  );
});

test("a close while the topology is away says that the last state was not written", async () => {
  const made = await world();
  const publisher = open(made);
  await registered(publisher);
  made.backend.setReachable(false);
  await expect(publisher.close()).rejects.toMatchObject({ code: TopoErrorCode.Unavailable });
});

test("a close gives up after 5 s, or when its signal aborts", async () => {
  const made = await world();
  made.network = "is silent";
  const first = open(made);
  made.network = "works";
  await made.clock.advance(6000);
  made.network = "is silent";
  const late = expect(first.close()).rejects.toMatchObject({ code: TopoErrorCode.Timeout });
  await made.clock.advance(5000);
  await late;
  made.network = "works";
  const second = open(made);
  await made.clock.advance(60_000);
  made.network = "is silent";
  const controller = new AbortController();
  const closing = second.close({ signal: controller.signal });
  await made.clock.advance(0);
  controller.abort();
  await expect(closing).rejects.toMatchObject({ code: TopoErrorCode.Interrupted });
});

test("a close creates no record: not before a registration, not after a deletion", async () => {
  const made = await world();
  await made.publisher().close();
  const publisher = open(made);
  await registered(publisher);
  await made.poolers.delete(identity.id);
  await made.clock.advance(0);
  await publisher.close();
  await expect(made.record()).rejects.toMatchObject({ code: TopoErrorCode.NoNode });
});

test("two writers of one record lose neither a type nor a state", async () => {
  const made = await world();
  const publisher = open(made);
  await registered(publisher);
  const { poolers } = made;
  const types = [RecordType.PRIMARY, RecordType.REPLICA, RecordType.UNKNOWN, RecordType.PRIMARY];
  const others = types.map((type, index) =>
    poolers.update(identity.id, (found) => ({
      ...found,
      type,
      pgDataDir: found.pgDataDir,
      keyRange: { start: Uint8Array.of(index), end: new Uint8Array() },
    })),
  );
  publisher.publish(SERVING);
  await made.clock.advance(60_000);
  await Promise.all(others);
  await made.clock.advance(60_000);
  const record = await made.record();
  expect(record.servingStatus).toBe(PoolerServingStatus.SERVING);
  expect(publisher.status().type?.value).toBe(poolerTypeOf(record.type));
  expect(record.keyRange).toBeDefined();
});

/** Reads why the lifecycle was as it was, until it is stopped. */
function readReasons(
  made: World,
  seen: (string | undefined)[],
): { readonly stop: () => Promise<void> } {
  const controller = new AbortController();
  const read = async (): Promise<void> => {
    for await (const event of made.poolers.watch({ signal: controller.signal })) {
      if (event.type === "put") {
        seen.push(event.record.lifecycleStatus?.reason);
      } else if (event.type === "snapshot") {
        seen.push(...event.entries.map(({ record }) => record.lifecycleStatus?.reason));
      }
    }
  };
  const done = read();
  return {
    stop: () => {
      controller.abort();
      return done;
    },
  };
}

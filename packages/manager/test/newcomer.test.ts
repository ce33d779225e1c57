import { PoolerType as RecordType } from "@multipooler/topo";
import { MemoryTopology } from "@multipooler/topo/memory";
import { expect, test } from "vitest";
import { PoolerType } from "../src/record/pooler-type.ts";
import { ManagerFixture } from "./manager-fixture.ts";
import type { FixtureOptions } from "./manager-fixture.ts";
import { MemoryDatabase } from "./memory-database.ts";
import { temporaryDir } from "./temporary-dir.ts";

const SHARD = { database: "postgres", tableGroup: "default", shard: "0-inf" };
const CLUSTER = { systemIdentifier: 7n, timeline: 1, history: [], lsn: 100n };

interface Choices extends Pick<FixtureOptions, "initialType" | "poolerDir" | "shard"> {
  readonly name: string;
  readonly servers: MemoryTopology;
  readonly database?: Partial<Pick<MemoryDatabase, "server" | "place" | "inRecovery" | "cluster">>;
}

/** A pooler without a type, on a server of its own unless the test says otherwise. */
function pooler({ name, database, ...options }: Choices): ManagerFixture {
  const own = new MemoryDatabase();
  Object.assign(own, { server: `server of ${name}`, place: name, cluster: CLUSTER, ...database });
  return new ManagerFixture({
    initialType: PoolerType.Unknown,
    ...options,
    name,
    manager: { database: own, healthIntervalMs: 10 },
  });
}

const untilPrimary = ({ serving }: { serving: { current: { role: string } } }): boolean =>
  serving.current.role === "PRIMARY";

test("the first pooler of a shard becomes its primary without a type, and never served less before", async () => {
  const servers = new MemoryTopology();
  await using first = pooler({ name: "a", servers });
  await first.open();
  const status = await first.untilReady();
  expect(status).toMatchObject({
    type: "PRIMARY",
    serving: { current: { role: "PRIMARY", status: "SERVING" } },
    topology: { typeSource: "topology", ignoredType: undefined },
  });
  expect(first.controller.calls).not.toContain("REPLICA SERVING_RDONLY");
  expect((await first.untilRecord(() => true)).type).toBe(RecordType.PRIMARY);
  expect((await first.topology.global.primaries.get(SHARD)).record).toMatchObject({
    primary: { pooler: { cell: "zone1", name: "a" }, server: "server of a" },
    cluster: { systemIdentifier: 7n, timeline: 1 },
  });
});

test("of several that start at once exactly one becomes the primary", async () => {
  const servers = new MemoryTopology();
  const poolers = ["a", "b", "c", "d"].map((name) => pooler({ name, servers }));
  await using stack = new AsyncDisposableStack();
  poolers.forEach((made) => stack.use(made));
  await Promise.all(poolers.map((made) => made.open()));
  const statuses = await Promise.all(poolers.map((made) => made.untilReady()));
  expect(statuses.filter(untilPrimary)).toHaveLength(1);
  const others = statuses.filter((status) => !untilPrimary(status));
  for (const other of others) {
    expect(other).toMatchObject({
      type: "UNKNOWN",
      serving: { current: { status: "SERVING_RDONLY" } },
    });
  }
});

test("a second pooler of the same server becomes a primary beside the first", async () => {
  const servers = new MemoryTopology();
  await using a = pooler({ name: "a", servers, database: { server: "one" } });
  await using b = pooler({ name: "b", servers, database: { server: "one" } });
  await a.open();
  await a.until(untilPrimary);
  await b.open();
  expect((await b.until(untilPrimary)).type).toBe("PRIMARY");
  expect(a.manager.status().ready).toBe(true);
});

test("another server out of recovery serves reads only, and says whose the shard is", async () => {
  const servers = new MemoryTopology();
  await using a = pooler({ name: "a", servers });
  await a.open();
  await a.until(untilPrimary);
  await using b = pooler({ name: "b", servers });
  await b.open();
  expect((await b.untilReady()).serving.current.status).toBe("SERVING_RDONLY");
  expect(b.logger.messages("warn")).toContainEqual(
    expect.stringMatching(
      /^this pooler has no type and serves reads only: the shard has a primary on another server, claimed by zone1\/a /,
    ),
  );
});

test("a server in recovery stays without a type, until it leaves recovery as the first of its shard", async () => {
  const servers = new MemoryTopology();
  const database = new MemoryDatabase();
  Object.assign(database, { inRecovery: true, cluster: CLUSTER });
  await using standby = new ManagerFixture({
    servers,
    initialType: PoolerType.Unknown,
    manager: { database, healthIntervalMs: 10 },
  });
  await standby.open();
  expect((await standby.untilReady()).type).toBe("UNKNOWN");
  database.become({ inRecovery: false });
  await standby.until(untilPrimary);
});

test.each(["PRIMARY", "REPLICA", "DRAINED"] as const)(
  "beside a pooler of type %s that has no claim it serves reads only",
  async (type) => {
    const servers = new MemoryTopology();
    await using typed = pooler({ name: "typed", servers, database: { inRecovery: true } });
    await typed.open();
    await typed.untilReady();
    await typed.setType(RecordType[type]);
    await using b = pooler({ name: "b", servers });
    await b.open();
    expect((await b.untilReady()).serving.current.status).toBe("SERVING_RDONLY");
    expect(b.logger.messages("warn")).toContain(
      `this pooler has no type and serves reads only: the shard has pooler zone1/typed of type ${type}`,
    );
  },
);

test("poolers of other shards do not matter", async () => {
  const servers = new MemoryTopology();
  await using other = pooler({ name: "other", servers, shard: "80-" });
  await other.open();
  await other.until(untilPrimary);
  await using a = pooler({ name: "a", servers });
  await a.open();
  expect((await a.until(untilPrimary)).type).toBe("PRIMARY");
});

test("a server that was started again takes writes under another name, a copy of it elsewhere does not", async () => {
  const servers = new MemoryTopology();
  {
    await using a = pooler({ name: "a", servers, database: { place: "db:5432" } });
    await a.open();
    await a.until(untilPrimary);
  }
  await using copy = pooler({ name: "copy", servers, database: { place: "db:5433" } });
  await copy.open();
  expect((await copy.untilReady()).serving.current.status).toBe("SERVING_RDONLY");
  await using again = pooler({ name: "again", servers, database: { place: "db:5432" } });
  await again.open();
  await again.until(untilPrimary);
  expect((await again.topology.global.primaries.get(SHARD)).record.primary?.pooler.name).toBe(
    "again",
  );
});

test("an administrator who takes the type away again is heeded, also after a restart", async () => {
  await using directory = await temporaryDir();
  const servers = new MemoryTopology();
  const choices = { name: "a", servers, poolerDir: directory.path };
  {
    await using first = pooler(choices);
    await first.open();
    await first.until(untilPrimary);
    await first.setType(RecordType.REPLICA);
    const replica = await first.until(({ type, ready }) => type === "REPLICA" && ready);
    expect(replica.serving.current.status).toBe("SERVING_RDONLY");
  }
  await using again = pooler(choices);
  await again.open();
  expect(await again.untilReady()).toMatchObject({
    type: "REPLICA",
    serving: { current: { status: "SERVING_RDONLY" } },
  });
});

test("a topology that cannot be read does not make a primary, and one that comes back does", async () => {
  const servers = new MemoryTopology();
  await using a = pooler({ name: "a", servers });
  await a.prepareTopology();
  servers.setReachable(false);
  await a.manager.open({ transports: [a.transport] });
  expect((await a.untilReady()).serving.current.status).toBe("SERVING_RDONLY");
  servers.setReachable(true);
  await a.until(untilPrimary);
});

test("a configured type that the record contradicts is told, in status and log", async () => {
  const servers = new MemoryTopology();
  {
    await using a = pooler({ name: "a", servers, initialType: PoolerType.Replica });
    await a.open();
    await a.untilReady();
  }
  await using again = pooler({ name: "a", servers, initialType: PoolerType.Primary });
  await again.open();
  const { type, topology } = await again.untilReady();
  expect({ type, ignoredType: topology.ignoredType }).toEqual({
    type: "REPLICA",
    ignoredType: "PRIMARY",
  });
  expect(again.logger.messages("warn")).toContain(
    "the type is the one in the topology's record, not the initial type",
  );
});

import { PoolerType as RecordType } from "@multipooler/topo";
import { MemoryTopology } from "@multipooler/topo/memory";
import { expect, test } from "vitest";
import { ManagerFixture } from "./manager-fixture.ts";
import { MemoryDatabase } from "./memory-database.ts";
import { temporaryDir } from "./temporary-dir.ts";

const SHARD = { database: "postgres", tableGroup: "default", shard: "0-inf" };

/** Pooler `name` of the shard, on a server of that name. */
function pooler(
  servers: MemoryTopology,
  name: string,
  server: string,
  poolerDir?: string,
): ManagerFixture {
  const database = new MemoryDatabase();
  database.server = server;
  return new ManagerFixture({
    servers,
    name,
    manager: { database, healthIntervalMs: 10 },
    ...(poolerDir === undefined ? {} : { poolerDir }),
  });
}

test("a second primary on another server takes no writes, and says so in log and readiness", async () => {
  const servers = new MemoryTopology();
  await using a = pooler(servers, "a", "server 1");
  await a.open();
  await a.untilReady();
  await using b = pooler(servers, "b", "server 2");
  await b.open();
  const refused = await b.until(({ notReadyCode }) => notReadyCode === "SECOND_PRIMARY");
  expect(refused.notReadyReason).toMatch(
    /^the shard has a primary on another server, claimed by zone1\/a at localhost:1234 since /,
  );
  expect(refused.serving.current).toMatchObject({ status: "NOT_SERVING", role: "REPLICA" });
  expect(b.controller.calls).not.toContain("PRIMARY SERVING");
  expect(b.logger.messages("warn")).toContain(`takes no writes: ${refused.notReadyReason}`);
  expect(a.manager.status()).toMatchObject({ ready: true });
  // An operator makes it the primary instead.
  await a.setType(RecordType.REPLICA);
  expect((await b.untilReady()).serving.current).toMatchObject({ role: "PRIMARY" });
  expect(a.manager.status().serving.current.role).toBe("REPLICA");
});

test("two poolers of one server are primaries side by side", async () => {
  const servers = new MemoryTopology();
  await using a = pooler(servers, "a", "server 1");
  await using b = pooler(servers, "b", "server 1");
  await a.open();
  await b.open();
  expect((await a.untilReady()).serving.current.role).toBe("PRIMARY");
  expect((await b.untilReady()).serving.current.role).toBe("PRIMARY");
});

test("a primary whose shard is claimed for another server stops at once", async () => {
  const servers = new MemoryTopology();
  await using a = pooler(servers, "a", "server 1");
  await a.open();
  await a.untilReady();
  const other = { pooler: { cell: "zone1", name: "b" }, server: "server 2" };
  await a.topology.global.primaries.update(SHARD, (found) => ({
    ...found,
    primary: found.primary && { ...found.primary, ...other },
  }));
  const refused = await a.until(({ ready }) => !ready);
  expect(refused.notReadyCode).toBe("SECOND_PRIMARY");
  await a.until(({ serving }) => serving.current.status === "NOT_SERVING");
});

test("a second primary does not take itself for the first while the topology is away", async () => {
  await using directory = await temporaryDir();
  const servers = new MemoryTopology();
  await using a = pooler(servers, "a", "server 1");
  await a.open();
  await a.untilReady();
  {
    await using b = pooler(servers, "b", "server 2", directory.path);
    await b.open();
    await b.until(({ notReadyCode }) => notReadyCode === "SECOND_PRIMARY");
  }
  servers.setReachable(false);
  await using again = pooler(servers, "b", "server 2", directory.path);
  await again.manager.open({ transports: [again.transport] });
  const ready = await again.untilReady();
  expect(ready).toMatchObject({
    type: "UNKNOWN",
    topology: { typeSource: "local memory" },
    serving: { current: { status: "SERVING_RDONLY", role: "REPLICA" } },
  });
});

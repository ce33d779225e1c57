import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import {
  ID_ComponentType,
  PoolerLifecycleStatus,
  PoolerServingStatus,
  PoolerType as RecordType,
  RoutingRole,
} from "@multipooler/topo";
import { MemoryTopology } from "@multipooler/topo/memory";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ManagerErrorCode } from "../src/manager-error.ts";
import { PoolerType } from "../src/record/pooler-type.ts";
import { ManagerFixture } from "./manager-fixture.ts";
import { configFor } from "./server.ts";
import { temporaryDir } from "./temporary-dir.ts";

let postgres: TestPostgres;

beforeAll(async () => {
  postgres = await startPostgres();
});

afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
});

test("without topology and memory a pooler serves reads only, and is a primary when it registers", async () => {
  await using fixture = new ManagerFixture({ database: configFor(postgres) });
  await fixture.prepareTopology();
  fixture.servers.setReachable(false);
  await fixture.manager.open({ transports: [fixture.transport] });
  const alone = await fixture.untilReady();
  expect(alone.serving.current).toMatchObject({ role: "REPLICA", status: "SERVING_RDONLY" });
  expect(alone.type).toBe(PoolerType.Unknown);
  expect(alone.topology).toMatchObject({ registered: false, typeSource: "none" });
  expect(alone.topology.lastError).toBeDefined();
  expect(alone.topology.awaySince).toBeDefined();
  expect(fixture.logger.messages("warn")).toContain(
    "the topology cannot be reached; the pooler goes on and registers when it is back",
  );

  fixture.servers.setReachable(true);
  const registered = await fixture.until(({ serving }) => serving.current.role === "PRIMARY");
  expect(registered.topology).toMatchObject({ registered: true, typeSource: "topology" });
});

test("with a remembered type a pooler serves as primary while the topology is away", async () => {
  await using dir = await temporaryDir();
  const servers = new MemoryTopology();
  {
    await using fixture = new ManagerFixture({
      database: configFor(postgres),
      poolerDir: dir.path,
      servers,
    });
    await fixture.open();
    await fixture.untilReady();
  }
  expect(JSON.parse(await readFile(path.join(dir.path, "pooler-record.json"), "utf8"))).toEqual({
    poolerId: "multipooler-zone1-a",
    type: "PRIMARY",
    systemIdentifier: expect.stringMatching(/^\d+$/),
  });

  await using fixture = new ManagerFixture({
    database: configFor(postgres),
    poolerDir: dir.path,
    servers,
    initialType: PoolerType.Unknown,
  });
  servers.setReachable(false);
  await fixture.manager.open({ transports: [fixture.transport] });
  const status = await fixture.until(
    ({ ready, serving }) => ready && serving.current.role === "PRIMARY",
  );
  expect(status.topology).toMatchObject({ registered: false, typeSource: "local memory" });
  servers.setReachable(true);
  await fixture.until(({ topology }) => topology.registered);
  expect(fixture.controller.calls.filter((call) => call === "REPLICA NOT_SERVING")).toHaveLength(1);
});

test("a topology that goes away and comes back does not disturb a pooler that serves", async () => {
  await using fixture = new ManagerFixture({ database: configFor(postgres) });
  await fixture.open();
  await fixture.untilReady();
  fixture.servers.setReachable(false);
  const away = await fixture.until(({ topology }) => topology.awaySince !== undefined);
  expect(away.ready).toBe(true);
  expect(away.type).toBe(PoolerType.Primary);
  expect(away.topology).toMatchObject({ registered: true, typeSource: "topology" });
  expect(away.topology.lastError).toBeDefined();
  fixture.servers.setReachable(true);
  const back = await fixture.until(({ topology }) => topology.lastError === undefined);
  expect(back.ready).toBe(true);
  expect(back.topology.awaySince).toBeUndefined();
  expect(fixture.controller.calls.at(-1)).toBe("PRIMARY SERVING");
});

test("the topology knows of a primary before it serves, and keeps it until it stopped", async () => {
  await using fixture = new ManagerFixture({ database: configFor(postgres) });
  const seen: [string, string, RoutingRole | undefined][] = [];
  fixture.controller.script({
    before: async (call) => {
      const { servingStatus, routingState } = await fixture.untilRecord(() => true);
      if (call.includes(" ")) {
        seen.push([call, nameOf(servingStatus), routingState?.role]);
      }
    },
  });
  await fixture.open();
  await fixture.untilReady();
  await fixture.untilRecord(({ servingStatus }) => servingStatus === PoolerServingStatus.SERVING);
  await fixture.setType(RecordType.REPLICA);
  await fixture.until(({ ready, serving }) => ready && serving.current.role === "REPLICA");
  const { ROUTING_ROLE_PRIMARY: PRIMARY, ROUTING_ROLE_REPLICA: REPLICA } = RoutingRole;
  expect(seen).toEqual([
    ["REPLICA NOT_SERVING", "NOT_SERVING", undefined],
    ["PRIMARY SERVING", "NOT_SERVING", PRIMARY],
    // That it is being left was told before; how far the write of that came is not waited for.
    ["REPLICA NOT_SERVING", expect.stringMatching(/^(SERVING|DRAINING)$/), PRIMARY],
    ["REPLICA SERVING_RDONLY", "NOT_SERVING", REPLICA],
  ]);
});

test("a restart keeps the type that the record had, not the configured one", async () => {
  const servers = new MemoryTopology();
  for (const initialType of [PoolerType.Primary, PoolerType.Unknown, PoolerType.Replica]) {
    await using fixture = new ManagerFixture({
      database: configFor(postgres),
      initialType,
      servers,
    });
    await fixture.open();
    expect((await fixture.untilReady()).serving.current.role).toBe("PRIMARY");
  }
});

test("a record of another shard under this name is a permanent fault", async () => {
  const servers = new MemoryTopology();
  {
    await using fixture = new ManagerFixture({ database: configFor(postgres), servers });
    await fixture.open();
    await fixture.untilReady();
  }
  await using fixture = new ManagerFixture({
    database: configFor(postgres),
    servers,
    shard: "other",
  });
  await fixture.open();
  const { state, serving } = await fixture.until((status) => status.state.name === "error");
  expect(state).toMatchObject({ error: { code: ManagerErrorCode.RegistrationRefused } });
  expect(serving.current.status).toBe("NOT_SERVING");
});

test("a pooler whose name another process takes stops serving, and says so, until it has it again", async () => {
  await using fixture = new ManagerFixture({ database: configFor(postgres) });
  await fixture.open();
  await fixture.untilReady();
  await fixture.untilRecord(({ servingStatus }) => servingStatus === PoolerServingStatus.SERVING);
  const cell = fixture.topology.cell("zone1");
  const id = { component: ID_ComponentType.MULTIPOOLER, cell: "zone1", name: "a" };
  const { record, version } = await cell.owners.get(id);
  const session = await cell.openSession();
  await cell.owners.replace(
    id,
    { ...record, run: "other", address: "db2:1" },
    { version, session },
  );
  const { notReadyReason } = await fixture.until(
    ({ serving, ready }) => !ready && serving.current.status === "NOT_SERVING",
  );
  expect(notReadyReason).toMatch(/the pooler at db2:1 has used cell "zone1" and service id "a"/);
  // The record is the other one's by now.
  await fixture.untilRecord(({ servingStatus }) => servingStatus === PoolerServingStatus.SERVING);
  await session.close();
  expect((await fixture.untilReady()).serving.current.role).toBe("PRIMARY");
});

test("the last record says SHUTDOWN and not serving, and keeps the type", async () => {
  await using fixture = new ManagerFixture({ database: configFor(postgres) });
  await fixture.open();
  await fixture.untilReady();
  await fixture.manager.close();
  expect(
    await fixture.untilRecord(
      ({ lifecycleStatus }) => lifecycleStatus?.status === PoolerLifecycleStatus.LIFECYCLE_SHUTDOWN,
    ),
  ).toMatchObject({
    type: RecordType.PRIMARY,
    servingStatus: PoolerServingStatus.NOT_SERVING,
    routingState: undefined,
  });
});

test("a file of remembered types without sense is a fault that names it, and nothing is opened", async () => {
  await using dir = await temporaryDir();
  const file = path.join(dir.path, "pooler-record.json");
  await writeFile(file, "{");
  await using fixture = new ManagerFixture({
    database: configFor(postgres),
    poolerDir: dir.path,
  });
  await expect(fixture.open()).rejects.toMatchObject({
    code: ManagerErrorCode.RecordFileInvalid,
    message: `${file} is not JSON; repair it, or remove it to forget the pooler's type`,
  });
  expect(fixture.transport.listening).toBe(false);
  await writeFile(file, JSON.stringify({ poolerId: "multipooler-zone1-a", type: "PRIMARY" }));
  await fixture.open();
  await fixture.untilReady();
});

function nameOf(status: PoolerServingStatus): string {
  return Object.entries(PoolerServingStatus).find(([, value]) => value === status)?.[0] ?? "";
}

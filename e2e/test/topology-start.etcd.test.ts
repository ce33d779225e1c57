import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runProgram } from "@multipooler/pooler-process";
import type { PoolerProcess, ProgramResult } from "@multipooler/pooler-process";
import {
  PoolerLifecycleStatus,
  PoolerServingStatus,
  PoolerType,
  RoutingRole,
} from "@multipooler/topo";
import { expect, test } from "vitest";
import { Cluster } from "./cluster.ts";
import { ctlTopo } from "./ctl-topo.ts";
import { flagsFor } from "./flags.ts";
import { temporaryDirectory } from "./temporary-directory.ts";
import { argumentsOf, inEtcd } from "./topology-flags.ts";

const LIMIT_MS = 20_000;
const WRITE = "create temp table written ()";

async function ctl(pooler: PoolerProcess, ...args: readonly string[]): Promise<ProgramResult> {
  return runProgram(["ctl", ...args, "--address", await pooler.grpc()]);
}

test("a first start makes the cell and the record, with nothing prepared", async () => {
  await using cluster = await Cluster.start();
  const pooler = await cluster.startPooler();
  expect(await cluster.record()).toMatchObject({
    id: { cell: "zone1", name: "e2e" },
    type: PoolerType.PRIMARY,
    hostname: expect.any(String),
    portMap: {
      grpc: expect.any(Number),
      http: expect.any(Number),
      postgres: cluster.postgres.port,
    },
  });
  const cell: unknown = JSON.parse(
    (await ctlTopo(inEtcd(cluster.etcd), "get", "cell/zone1", "--json")).stdout,
  );
  expect(cell).toMatchObject({
    key: "/multigres/global/cells/zone1/Cell",
    record: { name: "zone1", root: "/multigres/zone1", serverAddresses: [cluster.etcd.address] },
  });
  expect((await ctl(pooler, "query", WRITE)).code).toBe(0);
});

test("a stopped pooler leaves its record, and a restart keeps its type whatever the flags say", async () => {
  await using cluster = await Cluster.start();
  const first = await cluster.startPooler();
  expect(await first.stop()).toEqual({ code: 0, signal: null });
  expect(await cluster.record()).toMatchObject({
    type: PoolerType.PRIMARY,
    servingStatus: PoolerServingStatus.NOT_SERVING,
    lifecycleStatus: { status: PoolerLifecycleStatus.LIFECYCLE_SHUTDOWN },
  });
  const second = await cluster.startPooler({ "initial-pooler-type": "replica" });
  await expect
    .poll(() => cluster.record(), { timeout: LIMIT_MS })
    .toMatchObject({
      type: PoolerType.PRIMARY,
      servingStatus: PoolerServingStatus.SERVING,
      lifecycleStatus: { status: PoolerLifecycleStatus.LIFECYCLE_ACTIVE },
      routingState: { role: RoutingRole.ROUTING_ROLE_PRIMARY },
    });
  expect((await ctl(second, "query", WRITE)).code).toBe(0);
});

test("etcd is away at the start and the type is known on this machine: it serves as it was", async () => {
  await using directory = await temporaryDirectory();
  await using cluster = await Cluster.start();
  const flags = { "pooler-dir": directory.path };
  const first = await cluster.startPooler(flags);
  await first.stop();
  await cluster.etcd.kill();

  const pooler = await cluster.startPooler({ ...flags, "initial-pooler-type": "unknown" });
  expect((await ctl(pooler, "query", WRITE)).code).toBe(0);
  const { stdout } = await ctl(pooler, "status");
  expect(stdout).toMatch(/^type +PRIMARY, as remembered from an earlier run$/m);
  expect(stdout).toMatch(/^topology +etcd: away since .+ \(.+\); not registered yet$/m);
  const warning = await pooler.logged(({ msg }) =>
    msg.startsWith("the topology cannot be reached"),
  );
  expect(warning).toMatchObject({ type: "PRIMARY", source: "local memory" });

  await cluster.etcd.start();
  await expect
    .poll(() => cluster.record(), { timeout: LIMIT_MS })
    .toMatchObject({
      type: PoolerType.PRIMARY,
      lifecycleStatus: { status: PoolerLifecycleStatus.LIFECYCLE_ACTIVE },
    });
});

test("etcd is away at the start and no type is known: it serves reads and is no primary", async () => {
  await using cluster = await Cluster.start();
  await cluster.etcd.kill();
  const pooler = await cluster.startPooler();
  expect((await ctl(pooler, "query", "select 1")).code).toBe(0);
  const refused = await ctl(pooler, "query", WRITE);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain("25006");
  const { stdout } = await ctl(pooler, "status");
  expect(stdout).toMatch(/^type +UNKNOWN$/m);
  expect(stdout).toMatch(/^role +REPLICA$/m);
  expect(stdout).toMatch(/^serving +SERVING_RDONLY/m);
  expect(stdout).toMatch(/^topology +etcd: away since .+ \(.+\); not registered yet$/m);

  await cluster.etcd.start();
  // Now that no record of an earlier life can contradict it, the configured type holds.
  await expect
    .poll(() => cluster.record(), { timeout: LIMIT_MS })
    .toMatchObject({ type: PoolerType.PRIMARY, servingStatus: PoolerServingStatus.SERVING });
  const write = async (): Promise<number | null> => (await ctl(pooler, "query", WRITE)).code;
  await expect.poll(write, { timeout: LIMIT_MS }).toBe(0);
});

test("etcd is away at the start and its record says replica: it never was a primary", async () => {
  await using cluster = await Cluster.start();
  const first = await cluster.startPooler({ "initial-pooler-type": "replica" });
  await first.stop();
  await cluster.etcd.kill();
  const pooler = await cluster.startPooler();
  await cluster.etcd.start();
  await expect
    .poll(() => cluster.record(), { timeout: LIMIT_MS })
    .toMatchObject({
      type: PoolerType.REPLICA,
      lifecycleStatus: { status: PoolerLifecycleStatus.LIFECYCLE_ACTIVE },
    });
  expect((await ctl(pooler, "query", WRITE)).stderr).toContain("25006");
  // What it was asked to be at first is no state of it.
  const states = pooler.log.map((line) => JSON.stringify({ ...line, initialType: undefined }));
  expect(states.filter((line) => line.includes('"PRIMARY"'))).toEqual([]);
});

test("an etcd that hangs keeps the start for some seconds and no longer", async () => {
  await using cluster = await Cluster.start();
  cluster.etcd.pause();
  const startedAt = Date.now();
  const pooler = await cluster.startPooler();
  expect(Date.now() - startedAt).toBeLessThan(15_000);
  const { stdout } = await ctl(pooler, "status");
  expect(stdout).toMatch(/^serving +SERVING_RDONLY/m);
  expect(stdout).toMatch(/^topology +etcd: away since .+ \(.+\); not registered yet$/m);
  cluster.etcd.resume();
  await expect
    .poll(() => cluster.record(), { timeout: LIMIT_MS })
    .toMatchObject({ type: PoolerType.PRIMARY, servingStatus: PoolerServingStatus.SERVING });
});

test("etcd asks for a password: the right one is used, anything else ends the start in one line", async () => {
  await using directory = await temporaryDirectory();
  await using cluster = await Cluster.start();
  await cluster.etcd.enableAuth({ name: "pooler", password: "right" });
  const file = join(directory.path, "password");
  await writeFile(file, "right\n");
  const user = { "topo-etcd-username": "pooler" };
  const pooler = await cluster.startPooler({ ...user, "topo-etcd-password-file": file });
  expect((await ctl(pooler, "status")).stdout).toMatch(/^topology +etcd: registered$/m);

  for (const flags of [{ ...user, "topo-etcd-password": "wrong" }, {}]) {
    const all = { ...flagsFor(cluster.postgres), ...inEtcd(cluster.etcd), ...flags };
    const args = argumentsOf({ ...all, "http-port": "0", "grpc-port": "0" });
    const { code, stderr } = await runProgram(args);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^multipooler: [^\n]* \(see [^\n]*--topo-etcd-\*\)\n$/);
    expect(stderr).not.toContain("wrong");
  }
});

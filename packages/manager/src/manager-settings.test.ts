import { MockController } from "@multipooler/controller-testkit";
import { Topology } from "@multipooler/topo";
import { MemoryTopology } from "@multipooler/topo/memory";
import { expect, test } from "vitest";
import { RecordingLogger } from "../test/recording-logger.ts";
import { ManagerError } from "./manager-error.ts";
import type { ManagerOptions, PoolerDescription } from "./manager-options.ts";
import { poolerId, resolveManagerOptions } from "./manager-settings.ts";
import { applicationName } from "./record/application-name.ts";
import { postgresDatabase } from "./postgres/postgres-provider.ts";
import { PoolerType } from "./record/pooler-type.ts";

const POOLER: PoolerDescription = {
  identity: { cell: "zone1", name: "a" },
  shard: { database: "postgres", tableGroup: "default", shard: "0-inf" },
  initialType: PoolerType.Unknown,
  hostname: "localhost",
  ports: () => ({}),
};

const VALID: ManagerOptions = {
  controller: new MockController(),
  topology: new Topology({ backend: new MemoryTopology(), serverAddresses: [], root: "/" }),
  topologyName: "memory",
  pooler: POOLER,
  database: postgresDatabase({
    address: { type: "tcp", host: "127.0.0.1", port: 5432 },
    database: "postgres",
    user: "postgres",
    password: () => undefined,
  }),
  logger: new RecordingLogger(),
};

test("defaults are filled in", () => {
  expect(resolveManagerOptions(VALID)).toMatchObject({
    heartbeatIntervalMs: 1_000,
    healthIntervalMs: 1_000,
    closeTimeoutMs: 10_000,
  });
});

test("one identity has two names: in PostgreSQL and in the topology", () => {
  expect(applicationName(POOLER.identity)).toBe("zone1_a");
  expect(poolerId(POOLER.identity)).toBe("multipooler-zone1-a");
});

const named = (cell: string, name: string): Partial<ManagerOptions> => ({
  pooler: { ...POOLER, identity: { cell, name } },
});

test.each<[string, Partial<ManagerOptions>, string]>([
  ["an empty cell", named("", "a"), 'pooler.identity.cell is ""'],
  ["a cell with an underscore", named("zone_1", "a"), 'pooler.identity.cell is "zone_1"'],
  ["a name with a slash", named("zone1", "a/b"), 'pooler.identity.name is "a/b"'],
  ["a name with a space", named("zone1", "a b"), 'pooler.identity.name is "a b"'],
  ["a name that is a path", named("zone1", ".."), 'pooler.identity.name is ".."'],
  ["a long identity", named("z".repeat(40), "n".repeat(23)), "must be at most 63 bytes long"],
  ["an empty host name", { pooler: { ...POOLER, hostname: "" } }, 'pooler.hostname is ""'],
  [
    "an empty table group",
    { pooler: { ...POOLER, shard: { ...POOLER.shard, tableGroup: "" } } },
    'pooler.shard.tableGroup is ""',
  ],
  ["a busy loop of heartbeats", { heartbeatIntervalMs: 0 }, "heartbeatIntervalMs is 0"],
  ["health asked too often", { healthIntervalMs: 1 }, "healthIntervalMs is 1; it must be a whole"],
  ["a close without a number", { closeTimeoutMs: Number.NaN }, "closeTimeoutMs is NaN"],
])("%s is refused by name and value", (_, change, message) => {
  const resolve = (): unknown => resolveManagerOptions({ ...VALID, ...change });
  expect(resolve).toThrow(ManagerError);
  expect(resolve).toThrow(message);
});

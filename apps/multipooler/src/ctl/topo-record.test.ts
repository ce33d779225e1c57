import {
  Cell,
  Database,
  Multipooler,
  PoolerLifecycleStatus,
  PoolerServingStatus,
  PoolerType,
  RoutingRole,
} from "@multipooler/proto/clustermetadata";
import { expect, test } from "vitest";
import { recordFields, recordJson, recordName } from "./topo-record.ts";
import type { TopoRecord } from "./topo-record.ts";
import { recordSummary, summaryColumns, summaryRow } from "./topo-summary.ts";

const pooler: TopoRecord = {
  kind: "pooler",
  key: "/multigres/zone1/poolers/multipooler-zone1-a/Pooler",
  version: 9_007_199_254_740_993n,
  record: Multipooler.fromPartial({
    id: { component: 1, cell: "zone1", name: "a" },
    shardKey: { database: "app", tableGroup: "default", shard: "0-inf" },
    type: PoolerType.PRIMARY,
    servingStatus: PoolerServingStatus.SERVING,
    hostname: "db1",
    portMap: { grpc: 15_270, postgres: 5432 },
    lifecycleStatus: {
      status: PoolerLifecycleStatus.LIFECYCLE_ACTIVE,
      reason: "PostgreSQL answers",
      updated: new Date("2026-11-23T10:00:00.250Z"),
    },
    routingState: {
      role: RoutingRole.ROUTING_ROLE_PRIMARY,
      rule: { coordinatorTerm: 3n, leaderSubterm: 1n },
    },
  }),
};

const cell: TopoRecord = {
  kind: "cell",
  key: "/multigres/global/cells/zone1/Cell",
  version: 2n,
  record: Cell.fromPartial({ name: "zone1", serverAddresses: ["a:1", "b:2"], root: "/z" }),
};

const database: TopoRecord = {
  kind: "database",
  key: "/multigres/global/databases/app/Database",
  version: 3n,
  record: Database.fromPartial({
    name: "app",
    cells: ["zone1", "zone2"],
    backupLocation: { location: { $case: "filesystem", value: { path: "/backups" } } },
  }),
};

test("a record is called like the folder that it is in", () => {
  expect([cell, database, pooler].map(recordName)).toEqual(["zone1", "app", "multipooler-zone1-a"]);
});

test("every field of a pooler is printed under its path, enumerations and times in words", () => {
  expect(recordFields(pooler)).toEqual([
    ["id.component", "MULTIPOOLER"],
    ["id.cell", "zone1"],
    ["id.name", "a"],
    ["shardKey.database", "app"],
    ["shardKey.tableGroup", "default"],
    ["shardKey.shard", "0-inf"],
    ["type", "PRIMARY"],
    ["servingStatus", "SERVING"],
    ["hostname", "db1"],
    ["portMap.grpc", "15270"],
    ["portMap.postgres", "5432"],
    ["lifecycleStatus.status", "LIFECYCLE_ACTIVE"],
    ["lifecycleStatus.reason", "PostgreSQL answers"],
    ["lifecycleStatus.updated", "2026-11-23T10:00:00.250Z"],
    ["routingState.role", "ROUTING_ROLE_PRIMARY"],
    ["routingState.rule.coordinatorTerm", "3"],
    ["routingState.rule.leaderSubterm", "1"],
  ]);
});

test("lists are told in one line, messages within messages under their paths", () => {
  expect(recordFields(cell)).toContainEqual(["serverAddresses", "a:1, b:2"]);
  expect(recordFields(database)).toEqual([
    ["name", "app"],
    ["backupLocation.filesystem.path", "/backups"],
    ["cells", "zone1, zone2"],
  ]);
});

test("a record without any field still says its type and that it serves: that is what it means", () => {
  const empty = { ...pooler, record: Multipooler.create() };
  expect(recordFields(empty)).toEqual([
    ["type", "UNKNOWN"],
    ["servingStatus", "SERVING"],
  ]);
  expect(recordSummary(empty)).toBe("UNKNOWN, SERVING, UNKNOWN, at :?, for ?/?/?");
});

test("JSON has versions as text, beyond what a number can hold, and no field is undefined", () => {
  const json: unknown = JSON.parse(JSON.stringify(recordJson(pooler)));
  expect(json).toMatchObject({
    kind: "pooler",
    key: pooler.key,
    version: "9007199254740993",
    record: { type: "PRIMARY", servingStatus: "SERVING", portMap: { grpc: 15_270 } },
  });
  expect(Multipooler.fromJSON(recordJson(pooler).record)).toEqual(pooler.record);
});

test("each kind has a summary, and a row as wide as its table", () => {
  expect(recordSummary(cell)).toBe("root /z, on a:1, b:2");
  expect(recordSummary(database)).toBe("cells zone1, zone2, backups in /backups");
  expect(recordSummary(pooler)).toBe(
    "PRIMARY, SERVING, ACTIVE, at db1:15270, for app/default/0-inf",
  );
  expect(summaryRow(pooler)).toEqual([
    "multipooler-zone1-a",
    "PRIMARY",
    "SERVING",
    "ACTIVE",
    "2026-11-23 10:00:00Z",
    "db1:15270",
    "app/default/0-inf",
  ]);
  for (const record of [cell, database, pooler]) {
    expect(summaryRow(record)).toHaveLength(summaryColumns[record.kind].length);
  }
});

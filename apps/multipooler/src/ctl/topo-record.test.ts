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

const SHARD: TopoRecord = {
  kind: "shard",
  key: "/multigres/global/primaries/app,default,0-inf/Primary",
  version: 4n,
  record: {
    primary: {
      pooler: { cell: "zone1", name: "a" },
      address: "db1:15270",
      server: "7:1",
      place: "127.0.0.1:5432 as seen from db1",
      since: new Date("2026-11-23T10:00:00.250Z"),
    },
    cluster: {
      systemIdentifier: 7_481_234_567_890_123_456n,
      timeline: 2,
      history: [{ timeline: 1, end: 0x1_03000060n }],
    },
    term: { number: 5n, leader: { cell: "zone1", name: "a" } },
  },
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
  expect([cell, database, SHARD, pooler].map(recordName)).toEqual([
    "zone1",
    "app",
    "app/default/0-inf",
    "multipooler-zone1-a",
  ]);
});

test("the state of a shard is told field by field, positions as PostgreSQL writes them", () => {
  expect(recordFields(SHARD)).toEqual([
    ["primary.pooler.cell", "zone1"],
    ["primary.pooler.name", "a"],
    ["primary.address", "db1:15270"],
    ["primary.server", "7:1"],
    ["primary.place", "127.0.0.1:5432 as seen from db1"],
    ["primary.since", "2026-11-23T10:00:00.250Z"],
    ["cluster.systemIdentifier", "7481234567890123456"],
    ["cluster.timeline", "2"],
    ["cluster.history.0.timeline", "1"],
    ["cluster.history.0.end", "1/3000060"],
    ["term.number", "5"],
    ["term.leader.cell", "zone1"],
    ["term.leader.name", "a"],
  ]);
  expect(recordSummary(SHARD)).toBe(
    "primary zone1/a at db1:15270 since 2026-11-23 10:00:00Z, term 5, cluster 7481234567890123456 on timeline 2",
  );
  const empty = { ...SHARD, record: { primary: undefined, cluster: undefined, term: undefined } };
  expect(recordSummary(empty)).toBe("no primary");
  expect(recordFields(empty)).toEqual([]);
});

test.each([
  [undefined, "PRIMARY, SERVING, ACTIVE, at db1:15270, for app/default/0-inf"],
  [true, "PRIMARY, SERVING, ACTIVE, at db1:15270, for app/default/0-inf"],
  [false, "PRIMARY, NOT_SERVING, GONE, at db1:15270, for app/default/0-inf"],
])("of a pooler whose process lives: %j the summary is true", (isAlive, summary) => {
  expect(recordSummary({ ...pooler, isAlive })).toBe(summary);
  expect(recordJson({ ...pooler, isAlive }).alive).toBe(isAlive);
});

test("a pooler that has stopped in order is not gone", () => {
  const lifecycleStatus = {
    status: PoolerLifecycleStatus.LIFECYCLE_SHUTDOWN,
    reason: "",
    updated: undefined,
  };
  const stopped = { ...pooler, isAlive: false, record: { ...pooler.record, lifecycleStatus } };
  expect(recordSummary(stopped)).toContain(", SHUTDOWN, ");
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
  for (const record of [cell, database, SHARD, pooler]) {
    expect(summaryRow(record)).toHaveLength(summaryColumns[record.kind].length);
  }
});

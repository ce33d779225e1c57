import { expect, test } from "vitest";
import {
  Cell,
  Database,
  ID_ComponentType,
  Multipooler,
  PoolerLifecycleStatus,
  PoolerServingStatus,
  PoolerType,
  RoutingRole,
} from "../src/gen/multigres/clustermetadata.ts";
import { pin, wire } from "./wire.ts";

pin(
  "Multipooler: every field",
  Multipooler,
  {
    id: { component: ID_ComponentType.MULTIPOOLER, cell: "zone1", name: "p1" },
    shardKey: { database: "db", tableGroup: "default", shard: "0-inf" },
    keyRange: { start: wire("00"), end: wire("80") },
    type: PoolerType.PRIMARY,
    servingStatus: PoolerServingStatus.DRAINING,
    hostname: "h",
    portMap: { grpc: 15270 },
    poolerDir: "/p",
    pgDataDir: "/d",
    lifecycleStatus: {
      status: PoolerLifecycleStatus.LIFECYCLE_ACTIVE,
      reason: "r",
      updated: new Date(1_500),
    },
    routingState: {
      role: RoutingRole.ROUTING_ROLE_PRIMARY,
      rule: { coordinatorTerm: 2n ** 62n, leaderSubterm: 1n },
    },
  },
  `0a 0d 08 01 12 05 'zone1' 1a 02 'p1'               # 1 id
   12 14 0a 02 'db' 12 07 'default' 1a 05 '0-inf'     # 2 shard_key
   2a 06 0a 01 00 12 01 80                            # 5 key_range
   30 01                                              # 6 type
   38 04                                              # 7 serving_status
   42 01 'h'                                          # 8 hostname
   4a 09 0a 04 'grpc' 10 a677                         # 9 port_map
   52 02 '/p'                                         # 10 pooler_dir
   5a 02 '/d'                                         # 11 pg_data_dir
   62 0f 08 02 12 01 'r' 1a 08 08 01 10 80cab5ee01    # 12 lifecycle_status
   6a 10 08 01 12 0c 08 808080808080808040 10 01      # 13 routing_state`,
);

pin(
  "Cell: every field",
  Cell,
  { name: "zone1", serverAddresses: ["a:1", "b:2"], root: "/r" },
  "0a 05 'zone1'  12 03 'a:1'  12 03 'b:2'  1a 02 '/r'",
);

pin(
  "Database: with a backup location and a policy",
  Database,
  {
    name: "db",
    backupLocation: {
      location: { $case: "filesystem", value: { path: "/b" } },
      requireInitialRepoEncryption: true,
      authoritativeGeneration: 2n,
    },
    cells: ["zone1"],
    bootstrapDurabilityPolicy: {
      policyName: "n",
      policyVersion: 1n,
      quorumType: 3,
      requiredCount: 2,
      description: "d",
    },
  },
  `0a 02 'db'
   12 0a 0a 04 0a 02 '/b' 18 01 20 02
   1a 05 'zone1'
   22 0c 0a 01 'n' 10 01 18 03 20 02 2a 01 'd'`,
);

test("a record without a serving status is one of a pooler that serves", () => {
  expect(Multipooler.decode(wire("")).servingStatus).toBe(PoolerServingStatus.SERVING);
});

test.each([
  ["SERVING", PoolerServingStatus.SERVING, ""],
  ["NOT_SERVING", PoolerServingStatus.NOT_SERVING, "38 01"],
  ["DRAINING", PoolerServingStatus.DRAINING, "38 04"],
  ["SERVING_RDONLY", PoolerServingStatus.SERVING_RDONLY, "38 05"],
])("%s has its number on the wire", (_name, servingStatus, notation) => {
  const bytes = Multipooler.encode(Multipooler.create({ servingStatus })).finish();
  expect(Buffer.from(bytes)).toEqual(wire(notation));
});

test("an enum value from the future survives, and JSON says that it is unknown", () => {
  const record = Multipooler.decode(wire("38 63"));
  expect(record.servingStatus).toBe(99);
  expect(Buffer.from(Multipooler.encode(record).finish())).toEqual(wire("38 63"));
  expect(Multipooler.toJSON(record)).toEqual({ servingStatus: "UNRECOGNIZED" });
});

test("a map key that names a prototype touches none", () => {
  const record = Multipooler.decode(
    wire("4a 0d 0a 09 '__proto__' 10 01  4a 08 0a 04 'grpc' 10 01"),
  );
  expect(Object.entries(record.portMap)).toEqual([["grpc", 1]]);
  expect(Object.getPrototypeOf(record.portMap)).toBe(Object.prototype);
});

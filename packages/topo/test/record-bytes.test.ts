import {
  ID_ComponentType,
  PoolerLifecycleStatus,
  PoolerServingStatus,
  PoolerType,
  QuorumType,
  RoutingRole,
} from "@multipooler/proto/clustermetadata";
import type { Cell, Database, Multipooler } from "@multipooler/proto/clustermetadata";
import fc from "fast-check";
import { expect, test } from "vitest";
import { cellKind, databaseKind, ownerKind, poolerKind } from "../src/record-kinds.ts";
import { WireMessage } from "./wire-message.ts";

// The bytes below were decoded with Multigres' own schema, field by field. A change of one
// of them makes records that Multigres does not read.

const CELL: Cell = {
  name: "zone1",
  serverAddresses: ["etcd1.example:2379", "etcd2.example:2379"],
  root: "/multigres/zone1",
};
const CELL_HEX =
  "0a057a6f6e6531121265746364312e6578616d706c653a32333739121265746364322e6578616d70" +
  "6c653a323337391a102f6d756c7469677265732f7a6f6e6531";

const DATABASE: Database = {
  name: "app",
  backupLocation: {
    location: { $case: "filesystem", value: { path: "/backups" } },
    requireInitialRepoEncryption: true,
    authoritativeGeneration: 3n,
  },
  cells: ["zone1", "zone2"],
  bootstrapDurabilityPolicy: {
    policyName: "AT_LEAST_2",
    policyVersion: 1n,
    quorumType: QuorumType.QUORUM_TYPE_AT_LEAST_N,
    requiredCount: 2,
    description: "two of them",
  },
};
const DATABASE_HEX =
  "0a0361707012100a0a0a082f6261636b757073180120031a057a6f6e65311a057a6f6e6532221f0a" +
  "0a41545f4c454153545f321001180320022a0b74776f206f66207468656d";

const pooler: Multipooler = {
  id: { component: ID_ComponentType.MULTIPOOLER, cell: "zone1", name: "abcd1234" },
  shardKey: { database: "app", tableGroup: "default", shard: "0-inf" },
  keyRange: undefined,
  type: PoolerType.PRIMARY,
  servingStatus: PoolerServingStatus.NOT_SERVING,
  hostname: "db1.example",
  portMap: { postgres: 5432, grpc: 15_432, http: 15_433 },
  poolerDir: "/var/lib/multipooler",
  pgDataDir: "/var/lib/postgresql",
  lifecycleStatus: {
    status: PoolerLifecycleStatus.LIFECYCLE_ACTIVE,
    reason: "PostgreSQL answers",
    updated: new Date(Date.UTC(2026, 10, 23, 12, 0, 0, 250)),
  },
  routingState: {
    role: RoutingRole.ROUTING_ROLE_PRIMARY,
    rule: { coordinatorTerm: 7n, leaderSubterm: 1n },
  },
};
const POOLER_HEX =
  "0a13080112057a6f6e65311a08616263643132333412150a03617070120764656661756c741a0530" +
  "2d696e6630013801420b6462312e6578616d706c654a090a046772706310c8784a090a0468747470" +
  "10c9784a0d0a08706f73746772657310b82a52142f7661722f6c69622f6d756c7469706f6f6c6572" +
  "5a132f7661722f6c69622f706f737467726573716c622308021212506f737467726553514c20616e" +
  "73776572731a0b08c0d590d8061080e59a776a080801120408071001";

test("the bytes of a cell are those that Multigres reads", () => {
  expect(hex(cellKind.encode(CELL))).toBe(CELL_HEX);
  expect(cellKind.decode(Buffer.from(CELL_HEX, "hex"))).toEqual(CELL);
  const message = new WireMessage(Buffer.from(CELL_HEX, "hex"));
  expect(message.numbers).toEqual([1, 2, 3]);
  expect(message.text(1)).toBe("zone1");
  expect(message.texts(2)).toEqual(CELL.serverAddresses);
  expect(message.text(3)).toBe("/multigres/zone1");
});

test("the bytes of a database are those that Multigres reads", () => {
  expect(hex(databaseKind.encode(DATABASE))).toBe(DATABASE_HEX);
  expect(databaseKind.decode(Buffer.from(DATABASE_HEX, "hex"))).toEqual(DATABASE);
  const message = new WireMessage(Buffer.from(DATABASE_HEX, "hex"));
  expect(message.numbers).toEqual([1, 2, 3, 4]);
  expect(message.text(1)).toBe("app");
  const backup = message.message(2);
  expect(backup.message(1).text(1)).toBe("/backups");
  expect([backup.integer(3), backup.integer(4)]).toEqual([1n, 3n]);
  expect(message.texts(3)).toEqual(["zone1", "zone2"]);
  const policy = message.message(4);
  expect([policy.text(1), policy.text(5)]).toEqual(["AT_LEAST_2", "two of them"]);
  expect([2, 3, 4].map((field) => policy.integer(field))).toEqual([1n, 3n, 2n]);
});

test("the bytes of a pooler are those that Multigres reads", () => {
  expect(hex(poolerKind.encode(pooler))).toBe(POOLER_HEX);
  expect(poolerKind.decode(Buffer.from(POOLER_HEX, "hex"))).toEqual(pooler);
  const message = new WireMessage(Buffer.from(POOLER_HEX, "hex"));
  expect(message.numbers).toEqual([1, 2, 6, 7, 8, 9, 10, 11, 12, 13]);
  const id = message.message(1);
  expect([id.integer(1), id.text(2), id.text(3)]).toEqual([1n, "zone1", "abcd1234"]);
  expect([1, 2, 3].map((field) => message.message(2).text(field))).toEqual([
    "app",
    "default",
    "0-inf",
  ]);
  expect([message.integer(6), message.integer(7)]).toEqual([1n, 1n]);
  expect(message.text(8)).toBe("db1.example");
  expect(message.messages(9).map((port) => [port.text(1), port.integer(2)])).toEqual([
    ["grpc", 15_432n],
    ["http", 15_433n],
    ["postgres", 5432n],
  ]);
  expect([message.text(10), message.text(11)]).toEqual([pooler.poolerDir, pooler.pgDataDir]);
  const lifecycle = message.message(12);
  expect([lifecycle.integer(1), lifecycle.text(2)]).toEqual([2n, "PostgreSQL answers"]);
  const updated = lifecycle.message(3);
  expect([updated.integer(1), updated.integer(2)]).toEqual([1_795_435_200n, 250_000_000n]);
  const routing = message.message(13);
  expect(routing.integer(1)).toBe(1n);
  expect([routing.message(2).integer(1), routing.message(2).integer(2)]).toEqual([7n, 1n]);
});

test("a record that a later version wrote with fields of its own is read all the same", () => {
  const field100 = Buffer.from("a206036e6577", "hex");
  const bytes = Buffer.concat([Buffer.from(POOLER_HEX, "hex"), field100]);
  expect(poolerKind.decode(bytes)).toEqual(pooler);
});

test("equal poolers are equal bytes, in whatever order their ports were named", () => {
  const names = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,9}$/u), { maxLength: 6 });
  fc.assert(
    fc.property(names, fc.nat(60_000), (ports, seed) => {
      const entries = ports.map((name, index) => [name, index + seed] as const);
      const one = { ...pooler, portMap: Object.fromEntries(entries) };
      const other = { ...pooler, portMap: Object.fromEntries(entries.toReversed()) };
      expect(hex(poolerKind.encode(one))).toBe(hex(poolerKind.encode(other)));
      expect(poolerKind.decode(poolerKind.encode(one))).toEqual(one);
    }),
  );
});

test("bytes that are cut off are no record", () => {
  const bytes = Buffer.from(POOLER_HEX, "hex");
  expect(() => poolerKind.decode(bytes.subarray(0, 20))).toThrow(RangeError);
});

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

test("an owner is read as it was written", () => {
  const owner = fc.record({
    run: fc.string(),
    address: fc.string(),
    since: fc.date({ noInvalidDate: true }),
    process: fc.record({
      space: fc.string(),
      pid: fc.maxSafeNat(),
      startTime: fc.string(),
    }),
  });
  fc.assert(
    fc.property(owner, (written) => {
      expect(ownerKind.decode(ownerKind.encode(written))).toEqual(written);
    }),
  );
});

test.each([
  "",
  "null",
  "[]",
  "{}",
  '{"run":"a","address":"b","since":"never","process":{"space":"","pid":1,"startTime":""}}',
  '{"run":"a","address":"b","since":"2026-11-26","process":{"space":"","pid":"1","startTime":""}}',
])("%j is no owner", (text) => {
  expect(() => ownerKind.decode(Buffer.from(text))).toThrow(Error);
});

import { Cell, Database, Multipooler } from "@multipooler/proto/clustermetadata";
import type { ID } from "@multipooler/proto/clustermetadata";
import { componentId, compareKeys, keySegment } from "./keys.ts";
import { decodeOwner, encodeOwner } from "./pooler-owner.ts";
import type { PoolerOwner } from "./pooler-owner.ts";
import type { RecordKind } from "./record-collection.ts";
import { decodeShardState, encodeShardState, shardSegment } from "./shard-primary.ts";
import type { ShardName, ShardState } from "./shard-primary.ts";

/** `<globalRoot>/cells/<cell>/Cell` */
export const cellKind: RecordKind<string, Cell> = {
  name: "cell",
  folder: "cells",
  segment: (name) => keySegment("cell", name),
  file: "Cell",
  encode: (record) => Cell.encode(record).finish(),
  decode: (bytes) => Cell.decode(bytes),
};

/** `<globalRoot>/databases/<database>/Database` */
export const databaseKind: RecordKind<string, Database> = {
  name: "database",
  folder: "databases",
  segment: (name) => keySegment("database", name),
  file: "Database",
  encode: (record) => Database.encode(record).finish(),
  decode: (bytes) => Database.decode(bytes),
};

/** `<cellRoot>/poolers/<component>-<cell>-<name>/Pooler` */
export const poolerKind: RecordKind<ID, Multipooler> = {
  name: "pooler",
  folder: "poolers",
  segment: componentId,
  file: "Pooler",
  encode: encodePooler,
  decode: (bytes) => Multipooler.decode(bytes),
};

/**
 * `<cellRoot>/owners/<component>-<cell>-<name>/Owner`: beside the poolers and not among them, where
 * every key is a record of the gateway's.
 */
export const ownerKind: RecordKind<ID, PoolerOwner> = {
  name: "owner",
  folder: "owners",
  segment: componentId,
  file: "Owner",
  encode: encodeOwner,
  decode: decodeOwner,
};

/** `<globalRoot>/primaries/<database>,<table group>,<shard>/Primary` */
export const primaryKind: RecordKind<ShardName, ShardState> = {
  name: "primary of a shard",
  folder: "primaries",
  segment: shardSegment,
  file: "Primary",
  encode: encodeShardState,
  decode: decodeShardState,
};

/** The ports sorted by name, so that equal records are equal bytes. */
export function encodePooler(record: Multipooler): Uint8Array {
  const ports = Object.entries(record.portMap).toSorted(([a], [b]) => compareKeys(a, b));
  return Multipooler.encode({ ...record, portMap: Object.fromEntries(ports) }).finish();
}

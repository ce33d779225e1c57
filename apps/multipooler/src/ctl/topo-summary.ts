import { hostAndPort } from "@multipooler/manager";
import {
  poolerLifecycleStatusToJSON,
  poolerServingStatusToJSON,
  poolerTypeToJSON,
} from "@multipooler/proto/clustermetadata";
import type { BackupLocation, Cell, Database } from "@multipooler/proto/clustermetadata";
import type { ShardState } from "@multipooler/topo";
import { PoolerLifecycleStatus } from "@multipooler/topo";
import type { Column } from "./result-format.ts";
import { shortTime } from "./short-time.ts";
import { recordName } from "./topo-record.ts";
import type { PoolerEntry, TopoKind, TopoRecord } from "./topo-record.ts";

/** Summarizes a record in a few words. */
export function recordSummary(entry: TopoRecord): string {
  switch (entry.kind) {
    case "cell":
      return cellSummary(entry.record);
    case "database":
      return [cells(entry.record), backups(entry.record.backupLocation)]
        .filter((part) => part !== "")
        .join(", ");
    case "shard": {
      const { primary, address, since, term, cluster, timeline } = shardWords(entry.record);
      return [
        primary === "" ? "no primary" : `primary ${primary} at ${address} since ${since}`,
        term === "" ? "" : `term ${term}`,
        cluster === "" ? "" : `cluster ${cluster} on timeline ${timeline}`,
      ]
        .filter((part) => part !== "")
        .join(", ");
    }
    case "pooler": {
      const { type, serving, lifecycle, address, shard } = poolerWords(entry);
      return `${type}, ${serving}, ${lifecycle}, at ${address}, for ${shard}`;
    }
  }
}

/** The servers and the root of a cell. */
export function cellSummary(cell: Cell): string {
  return `root ${cell.root}, ${servers(cell)}`;
}

/** The table columns for each kind of record. */
export const summaryColumns: Readonly<Record<TopoKind, readonly Column[]>> = {
  cell: columns("name", "root", "servers"),
  database: columns("name", "cells", "backups"),
  shard: columns("name", "primary", "address", "since", "term", "cluster", "timeline"),
  pooler: columns("name", "type", "serving", "lifecycle", "since", "address", "shard"),
};

/** The row of a record in the table of its kind. */
export function summaryRow(entry: TopoRecord): readonly string[] {
  const name = recordName(entry);
  switch (entry.kind) {
    case "cell":
      return [name, entry.record.root, servers(entry.record)];
    case "database":
      return [name, cells(entry.record), backups(entry.record.backupLocation)];
    case "shard": {
      const { primary, address, since, term, cluster, timeline } = shardWords(entry.record);
      return [name, primary, address, since, term, cluster, timeline];
    }
    case "pooler": {
      const { type, serving, lifecycle, since, address, shard } = poolerWords(entry);
      return [name, type, serving, lifecycle, since, address, shard];
    }
  }
}

function columns(...names: readonly string[]): readonly Column[] {
  return names.map((name) => ({ name, numeric: false }));
}

function servers({ serverAddresses }: Cell): string {
  return serverAddresses.length === 0
    ? "on the global servers"
    : `on ${serverAddresses.join(", ")}`;
}

function cells(database: Database): string {
  return database.cells.length === 0 ? "no cells" : `cells ${database.cells.join(", ")}`;
}

function backups(backup: BackupLocation | undefined): string {
  switch (backup?.location?.$case) {
    case "filesystem":
      return `backups in ${backup.location.value.path}`;
    case "s3":
      return `backups in s3://${backup.location.value.bucket}/${backup.location.value.keyPrefix}`;
    case undefined:
      return "";
  }
}

interface ShardWords {
  readonly primary: string;
  readonly address: string;
  readonly since: string;
  readonly term: string;
  readonly cluster: string;
  readonly timeline: string;
}

/** Empty where nobody has said it. */
function shardWords({ primary, cluster, term }: ShardState): ShardWords {
  return {
    primary: primary === undefined ? "" : `${primary.pooler.cell}/${primary.pooler.name}`,
    address: primary?.address ?? "",
    since: primary === undefined ? "" : shortTime(primary.since),
    term: term === undefined ? "" : String(term.number),
    cluster: cluster === undefined ? "" : String(cluster.systemIdentifier),
    timeline: cluster === undefined ? "" : String(cluster.timeline),
  };
}

interface PoolerWords {
  readonly type: string;
  readonly serving: string;
  readonly lifecycle: string;
  readonly since: string;
  readonly address: string;
  readonly shard: string;
}

/** What a pooler that died last said of itself does not hold any more. */
function poolerWords({ record, isAlive }: PoolerEntry): PoolerWords {
  const { lifecycleStatus: lifecycle, shardKey, hostname, portMap } = record;
  const hasStopped = lifecycle?.status === PoolerLifecycleStatus.LIFECYCLE_SHUTDOWN;
  const isGone = isAlive === false && !hasStopped;
  const status =
    lifecycle === undefined
      ? "UNKNOWN"
      : poolerLifecycleStatusToJSON(lifecycle.status).replace(/^LIFECYCLE_/, "");
  return {
    type: poolerTypeToJSON(record.type),
    serving: isGone ? "NOT_SERVING" : poolerServingStatusToJSON(record.servingStatus),
    lifecycle: isGone ? "GONE" : status,
    since: lifecycle?.updated === undefined ? "?" : shortTime(lifecycle.updated),
    address: hostAndPort(hostname, portMap["grpc"] ?? "?"),
    shard: [shardKey?.database, shardKey?.tableGroup, shardKey?.shard]
      .map((part) => part ?? "?")
      .join("/"),
  };
}

import {
  Cell,
  Database,
  ID,
  KeyRange,
  PoolerLifecycle,
  RoutingState,
  ShardKey,
  poolerServingStatusToJSON,
  poolerTypeToJSON,
} from "@multipooler/proto/clustermetadata";
import type { Multipooler } from "@multipooler/proto/clustermetadata";
import { lsnText } from "@multipooler/topo";
import type { RecordEntry, ShardState } from "@multipooler/topo";

export const TOPO_KINDS = ["cell", "database", "shard", "pooler"] as const;
export type TopoKind = (typeof TOPO_KINDS)[number];

/** A record of the topology, of any kind. */
export type TopoRecord =
  | ({ readonly kind: "cell" } & RecordEntry<Cell>)
  | ({ readonly kind: "database" } & RecordEntry<Database>)
  | ({ readonly kind: "shard" } & RecordEntry<ShardState>)
  | PoolerEntry;

export interface PoolerEntry extends RecordEntry<Multipooler> {
  readonly kind: "pooler";
  /** Whether a process has the pooler's name now; `undefined` where that was not looked at. */
  readonly isAlive?: boolean | undefined;
}

/** The name of a record: the last folder of its key, and of a shard the names in it. */
export function recordName({ key }: { readonly key: string }): string {
  const [file, folder] = key.split("/").toReversed();
  return file === "Primary" && folder !== undefined
    ? shardNames(folder).join("/")
    : (folder ?? key);
}

/** Database, table group and shard, from the last folder of a key. */
export function shardNames(segment: string): readonly string[] {
  return segment.split(",").map(decodeURIComponent);
}

/** A record as JSON. */
export interface RecordJson {
  readonly kind: TopoKind;
  readonly key: string;
  readonly version: string;
  /** Of a pooler that was looked for. */
  readonly alive?: boolean;
  readonly record: unknown;
}

/**
 * The JSON of a record: Protobuf's, but always with the type and the serving status of a pooler, whose
 * zeros mean UNKNOWN and SERVING.
 */
export function recordJson(record: TopoRecord): RecordJson {
  const { kind, key, version } = record;
  const alive = kind === "pooler" && record.isAlive !== undefined ? { alive: record.isAlive } : {};
  return { kind, key, version: String(version), ...alive, record: contentJson(record) };
}

/** Each field of a record with its path, e.g. `lifecycleStatus.reason`, in the order of the schema. */
export function recordFields(record: TopoRecord): readonly [path: string, value: string][] {
  return [...fieldsOf(contentJson(record), "")];
}

function contentJson(entry: TopoRecord): unknown {
  switch (entry.kind) {
    case "cell":
      return Cell.toJSON(entry.record);
    case "database":
      return Database.toJSON(entry.record);
    case "shard":
      return shardJson(entry.record);
    case "pooler":
      return poolerJson(entry.record);
  }
}

function shardJson({ primary, cluster, term }: ShardState): unknown {
  return {
    primary: primary && { ...primary, since: primary.since.toISOString() },
    cluster: cluster && {
      systemIdentifier: String(cluster.systemIdentifier),
      timeline: cluster.timeline,
      history: cluster.history?.map(({ timeline, end }) => ({ timeline, end: lsnText(end) })),
    },
    term: term && { ...term, number: String(term.number) },
  };
}

function poolerJson(record: Multipooler): unknown {
  return {
    id: record.id && ID.toJSON(record.id),
    shardKey: record.shardKey && ShardKey.toJSON(record.shardKey),
    keyRange: record.keyRange && KeyRange.toJSON(record.keyRange),
    type: poolerTypeToJSON(record.type),
    servingStatus: poolerServingStatusToJSON(record.servingStatus),
    hostname: record.hostname,
    portMap: record.portMap,
    poolerDir: record.poolerDir,
    pgDataDir: record.pgDataDir,
    lifecycleStatus: record.lifecycleStatus && PoolerLifecycle.toJSON(record.lifecycleStatus),
    routingState: record.routingState && RoutingState.toJSON(record.routingState),
  };
}

function* fieldsOf(value: unknown, path: string): Generator<[string, string]> {
  if (value === undefined || value === null || value === "") {
    return;
  }
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") {
    yield [path, String(value)];
  } else if (Array.isArray(value) && value.every((item) => typeof item === "string")) {
    yield [path, value.join(", ")];
  } else {
    for (const [name, part] of Object.entries(value)) {
      yield* fieldsOf(part, path === "" ? name : `${path}.${name}`);
    }
  }
}

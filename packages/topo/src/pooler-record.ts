import {
  Multipooler,
  PoolerLifecycleStatus,
  PoolerServingStatus,
  RoutingRole,
} from "@multipooler/proto/clustermetadata";
import type {
  ID,
  PoolerLifecycle,
  PoolerType,
  RoutingState,
  ShardKey,
} from "@multipooler/proto/clustermetadata";
import { TopoError, TopoErrorCode } from "./error.ts";
import { componentId } from "./keys.ts";
import { poolerKind } from "./record-kinds.ts";

/** What a pooler's record says of it for as long as its process runs. */
export interface PoolerIdentity {
  /** The component is MULTIPOOLER. */
  readonly id: ID;
  /** What the pooler serves. A record of the same id for another shard is never overwritten. */
  readonly shardKey: ShardKey;
  /** The name that others reach it by. */
  readonly hostname: string;
  /** Ports by service: `grpc`, `http`, `postgres`. */
  readonly portMap: Readonly<Record<string, number>>;
  readonly poolerDir: string;
  readonly pgDataDir: string;
}

/** Where a pooler is in its life, and why. */
export interface Lifecycle {
  readonly status: PoolerLifecycleStatus;
  readonly reason: string;
}

/** What a pooler's record says of its state: what the caller of a publisher may change. */
export interface PoolerState {
  readonly servingStatus: PoolerServingStatus;
  readonly lifecycle: Lifecycle;
  /** What it is routed to as; `undefined` where it is not to be routed to. */
  readonly routingState: RoutingState | undefined;
}

/** The state of a pooler whose process has just started. */
export const START_STATE: PoolerState = {
  servingStatus: PoolerServingStatus.NOT_SERVING,
  lifecycle: { status: PoolerLifecycleStatus.LIFECYCLE_STARTING, reason: "process starting" },
  routingState: undefined,
};

/** The last state of a pooler whose process ends in good order. */
export function shutdownState(reason: string): PoolerState {
  return {
    servingStatus: PoolerServingStatus.NOT_SERVING,
    lifecycle: { status: PoolerLifecycleStatus.LIFECYCLE_SHUTDOWN, reason },
    routingState: undefined,
  };
}

/** What a record is made from. */
export interface RecordSources {
  readonly identity: PoolerIdentity;
  readonly state: PoolerState;
  /** When the lifecycle last changed. */
  readonly since: Date;
}

/** The first record of a pooler. */
export function newRecord(sources: RecordSources, type: PoolerType): Multipooler {
  return renewRecord({ ...Multipooler.create(), type }, sources);
}

/**
 * `record` with everything that its pooler says of itself. What others decide stays: the type,
 * which outlives every restart and stop, and the key range.
 */
export function renewRecord(record: Multipooler, sources: RecordSources): Multipooler {
  const { identity, state, since } = sources;
  return {
    ...record,
    id: { ...identity.id },
    shardKey: { ...identity.shardKey },
    servingStatus: state.servingStatus,
    hostname: identity.hostname,
    portMap: { ...identity.portMap },
    poolerDir: identity.poolerDir,
    pgDataDir: identity.pgDataDir,
    lifecycleStatus: { ...state.lifecycle, updated: since } satisfies PoolerLifecycle,
    routingState: publishedRouting(state.routingState),
  };
}

/** A replica's rule changes often and tells nobody anything, so only a primary's is published. */
function publishedRouting(routing: RoutingState | undefined): RoutingState | undefined {
  if (routing === undefined || routing.role === RoutingRole.ROUTING_ROLE_PRIMARY) {
    return routing;
  }
  return { role: routing.role, rule: undefined };
}

/** Whether two records are the same, byte for byte. */
export function sameRecord(a: Multipooler, b: Multipooler): boolean {
  return Buffer.compare(poolerKind.encode(a), poolerKind.encode(b)) === 0;
}

/** Throws RECORD_CONFLICT where `record` is not of the shard of `identity`. */
export function refuseOtherShard(record: Multipooler, { id, shardKey }: PoolerIdentity): void {
  const found = shardName(record.shardKey);
  const wanted = shardName(shardKey);
  if (found === wanted) {
    return;
  }
  throw new TopoError({
    code: TopoErrorCode.RecordConflict,
    key: componentId(id),
    message: `the record in the topology is for ${found}, and this pooler is for ${wanted}: choose another service id, or delete the record if that pooler is gone`,
  });
}

function shardName(key: ShardKey | undefined): string {
  return JSON.stringify([key?.database ?? "", key?.tableGroup ?? "", key?.shard ?? ""]);
}

import {
  ID_ComponentType,
  Multipooler,
  PoolerType as RecordType,
  RoutingRole,
  encodePooler,
} from "@multipooler/topo";
import type { ID, PoolerLifecycle, RoutingState, ShardKey } from "@multipooler/topo";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import type { PoolerDescription } from "../manager-options.ts";
import { poolerId } from "../manager-settings.ts";
import type { PoolerType } from "./pooler-type.ts";

/** What a pooler's record says of its state. */
export interface PoolerState {
  readonly servingStatus: Multipooler["servingStatus"];
  readonly lifecycle: Readonly<Pick<PoolerLifecycle, "status" | "reason">>;
  /** What it is routed to as; `undefined` where it is not to be routed to. */
  readonly routingState: RoutingState | undefined;
}

/** Where everything in a record comes from that its pooler decides. */
export interface RecordSources {
  readonly pooler: PoolerDescription;
  readonly state: PoolerState;
  /** When the lifecycle last changed. */
  readonly since: Date;
  /** The type that a record without one gets; `undefined` where it stays without. */
  readonly firstType?: PoolerType | undefined;
}

/** A pooler's id in keys and records. */
export function recordId({ identity }: PoolerDescription): ID {
  return { component: ID_ComponentType.MULTIPOOLER, ...identity };
}

/** The first record of a pooler. */
export function newRecord(sources: RecordSources, type: PoolerType): Multipooler {
  return renewRecord({ ...Multipooler.create(), type: RecordType[type] }, sources);
}

/**
 * `record` with everything that its pooler says of itself. What others decide stays: a type, which
 * outlives every restart and stop, and the key range.
 */
export function renewRecord(record: Multipooler, sources: RecordSources): Multipooler {
  const { pooler, state, since, firstType } = sources;
  const isTyped = record.type !== RecordType.UNKNOWN || firstType === undefined;
  return {
    ...record,
    type: isTyped ? record.type : RecordType[firstType],
    id: recordId(pooler),
    shardKey: { ...pooler.shard },
    servingStatus: state.servingStatus,
    hostname: pooler.hostname,
    portMap: { ...pooler.ports() },
    poolerDir: pooler.poolerDir ?? "",
    pgDataDir: pooler.dataDir ?? "",
    lifecycleStatus: { ...state.lifecycle, updated: since },
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
  return Buffer.compare(encodePooler(a), encodePooler(b)) === 0;
}

/** Throws REGISTRATION_REFUSED where `record` is of another shard than the pooler's. */
export function refuseOtherShard(
  record: Multipooler,
  { identity, shard }: PoolerDescription,
): void {
  const found = shardName(record.shardKey);
  const wanted = shardName(shard);
  if (found === wanted) {
    return;
  }
  throw new ManagerError(
    ManagerErrorCode.RegistrationRefused,
    `${poolerId(identity)}: the record in the topology is for ${found}, and this pooler is for ${wanted}: choose another service id, or delete the record if that pooler is gone`,
  );
}

/** A shard as one text, to compare and to show. */
export function shardName(key: Readonly<ShardKey> | undefined): string {
  return JSON.stringify([key?.database ?? "", key?.tableGroup ?? "", key?.shard ?? ""]);
}

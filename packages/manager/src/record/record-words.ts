import { PoolerRole, ServingStatus } from "@multipooler/controller-api";
import {
  ID_ComponentType,
  PoolerServingStatus,
  PoolerType as RecordType,
  RoutingRole,
} from "@multipooler/topo";
import type { PoolerState, PoolerIdentity as RecordIdentity } from "@multipooler/topo";
import type { PoolerDescription } from "../manager-options.ts";
import { PoolerType } from "./pooler-type.ts";
import type { ServingAnnouncement } from "../serving/serving-reconciler.ts";

/** A pooler as its record names it. */
export function toRecordIdentity(pooler: PoolerDescription): RecordIdentity {
  return {
    id: { component: ID_ComponentType.MULTIPOOLER, ...pooler.identity },
    shardKey: { ...pooler.shard },
    hostname: pooler.hostname,
    portMap: pooler.ports(),
    poolerDir: pooler.poolerDir ?? "",
    pgDataDir: pooler.dataDir ?? "",
  };
}

/** A type as records hold it. */
export function toRecordType(type: PoolerType): RecordType {
  switch (type) {
    case PoolerType.Unknown:
      return RecordType.UNKNOWN;
    case PoolerType.Primary:
      return RecordType.PRIMARY;
    case PoolerType.Replica:
      return RecordType.REPLICA;
    case PoolerType.Drained:
      // oxlint-disable-next-line typescript/no-deprecated -- An older Multigres may have written it.
      return RecordType.DRAINED;
  }
}

/** The type that a record holds; one that this version does not know counts as UNKNOWN. */
export function fromRecordType(type: RecordType): PoolerType {
  switch (type) {
    case RecordType.PRIMARY:
      return PoolerType.Primary;
    case RecordType.REPLICA:
      return PoolerType.Replica;
    // oxlint-disable-next-line typescript/no-deprecated -- As above.
    case RecordType.DRAINED:
      return PoolerType.Drained;
    case RecordType.UNKNOWN:
    case RecordType.UNRECOGNIZED:
      return PoolerType.Unknown;
  }
}

/**
 * What a record says of serving. Other readers know no read-only status: for them a pooler that
 * serves reads is SERVING with the role REPLICA.
 */
export function toRecordState({
  target,
  draining,
}: ServingAnnouncement): Pick<PoolerState, "servingStatus" | "routingState"> {
  const { role, status, term } = target;
  return {
    servingStatus: draining ? PoolerServingStatus.DRAINING : toRecordStatus(status),
    routingState:
      role === PoolerRole.Primary
        ? { role: RoutingRole.ROUTING_ROLE_PRIMARY, rule: term && { ...term } }
        : { role: RoutingRole.ROUTING_ROLE_REPLICA, rule: undefined },
  };
}

function toRecordStatus(status: ServingStatus): PoolerServingStatus {
  switch (status) {
    case ServingStatus.Serving:
    case ServingStatus.ServingReadOnly:
      return PoolerServingStatus.SERVING;
    case ServingStatus.Drained:
      return PoolerServingStatus.DRAINING;
    case ServingStatus.NotServing:
      return PoolerServingStatus.NOT_SERVING;
  }
}

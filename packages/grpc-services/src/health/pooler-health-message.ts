import { PoolerRole, ServingStatus } from "@multipooler/controller-api";
import type { ServingTarget } from "@multipooler/controller-api";
import type { HeartbeatStatus, ManagerStatus } from "@multipooler/manager";
import {
  ID_ComponentType,
  PoolerServingStatus,
  RoutingRole,
} from "@multipooler/proto/clustermetadata";
import type { RoutingState } from "@multipooler/proto/clustermetadata";
import type { Duration } from "@multipooler/proto/duration";
import type { StreamPoolerHealthResponse } from "@multipooler/proto/multipoolerservice";

/** The rule of a primary that no coordinator appointed. A gateway takes the highest for the leader. */
const FIRST_RULE = { coordinatorTerm: 1n, leaderSubterm: 0n };
const NS_PER_MS = 1_000_000;

/**
 * What a gateway is told of a pooler.
 *
 * | the manager says                             | serving_status | role                  |
 * | -------------------------------------------- | -------------- | --------------------- |
 * | ready                                        | SERVING        | the role that it has  |
 * | a status that admits queries is being left   | DRAINING       | still the old one     |
 * | DRAINED                                      | DRAINING       | REPLICA               |
 * | anything else                                | NOT_SERVING    | the role that it has  |
 *
 * A gateway sends writes to whatever claims PRIMARY, also when it is not serving: it learns of a
 * transition by the refusal and keeps the query until somebody is both. So neither is claimed
 * before a transition has ended.
 */
export function poolerHealthMessage(
  status: ManagerStatus,
  stalenessMs: number,
): StreamPoolerHealthResponse {
  return {
    poolerId: { component: ID_ComponentType.MULTIPOOLER, ...status.pooler },
    servingStatus: servingStatus(status),
    routingState: routingState(status.serving.current),
    recommendedStalenessTimeout: duration(stalenessMs),
    replicationLagNs: lagNs(status.heartbeat),
  };
}

function servingStatus({ ready, serving }: ManagerStatus): PoolerServingStatus {
  if (ready) {
    return PoolerServingStatus.SERVING;
  }
  const { current, wanted } = serving;
  switch (current.status) {
    case ServingStatus.Serving:
    case ServingStatus.ServingReadOnly:
      // Not ready without a transition: what is admitted does not get through.
      return wanted === undefined ? PoolerServingStatus.NOT_SERVING : PoolerServingStatus.DRAINING;
    case ServingStatus.Drained:
      return PoolerServingStatus.DRAINING;
    case ServingStatus.NotServing:
      return PoolerServingStatus.NOT_SERVING;
  }
}

function routingState({ role, term }: ServingTarget): RoutingState {
  switch (role) {
    case PoolerRole.Primary:
      return { role: RoutingRole.ROUTING_ROLE_PRIMARY, rule: { ...(term ?? FIRST_RULE) } };
    case PoolerRole.Replica:
      return { role: RoutingRole.ROUTING_ROLE_REPLICA, rule: term && { ...term } };
  }
}

function lagNs(heartbeat: HeartbeatStatus): bigint {
  switch (heartbeat.mode) {
    case "off":
    case "writer":
      return 0n;
    case "reader":
      return BigInt(Math.round((heartbeat.lagMs ?? 0) * NS_PER_MS));
  }
}

function duration(ms: number): Duration {
  const seconds = Math.floor(ms / 1000);
  return { seconds: BigInt(seconds), nanos: Math.round((ms - seconds * 1000) * NS_PER_MS) };
}

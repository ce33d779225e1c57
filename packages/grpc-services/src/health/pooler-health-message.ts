import { PoolerRole, ServingStatus } from "@multipooler/controller-api";
import type { ServingTarget } from "@multipooler/controller-api";
import type { HeartbeatStatus, ManagerStatus } from "@multipooler/manager";
import {
  ID_ComponentType,
  PoolerServingStatus,
  RoutingRole,
} from "@multipooler/proto/clustermetadata";
import type { RoutingState } from "@multipooler/proto/clustermetadata";
import type { StreamPoolerHealthResponse } from "@multipooler/proto/multipoolerservice";
import { durationMessage } from "../manager/duration-message.ts";

/** The rule of a primary that no coordinator appointed. A gateway takes the highest for the leader. */
const FIRST_RULE = { coordinatorTerm: 1n, leaderSubterm: 0n };
/** What claims nothing. */
const REPLICA: RoutingState = { role: RoutingRole.ROUTING_ROLE_REPLICA, rule: undefined };
const NS_PER_MS = 1_000_000;

/**
 * What a gateway is told of a pooler.
 *
 * | the manager says                            | serving_status | role                 |
 * | ------------------------------------------- | -------------- | -------------------- |
 * | ready                                       | SERVING        | the role that it has |
 * | a status that admits queries is being left  | DRAINING       | still the old one    |
 * | one is reached, but the transition goes on  | NOT_SERVING    | REPLICA              |
 * | DRAINED                                     | DRAINING       | the role that it has |
 * | anything else                               | NOT_SERVING    | the role that it has |
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
    ...claimOf(status),
    recommendedStalenessTimeout: durationMessage(stalenessMs),
    replicationLagNs: lagNs(status.heartbeat),
  };
}

type Claim = Pick<StreamPoolerHealthResponse, "servingStatus" | "routingState">;

function claimOf({ ready, serving: { current, wanted } }: ManagerStatus): Claim {
  const routingState = routingOf(current);
  if (ready) {
    return { servingStatus: PoolerServingStatus.SERVING, routingState };
  }
  switch (current.status) {
    case ServingStatus.Serving:
    case ServingStatus.ServingReadOnly:
      return notReadyClaim(current, wanted);
    case ServingStatus.Drained:
      return { servingStatus: PoolerServingStatus.DRAINING, routingState };
    case ServingStatus.NotServing:
      return { servingStatus: PoolerServingStatus.NOT_SERVING, routingState };
  }
}

/** Of a pooler that admits queries and is not ready. */
function notReadyClaim(current: ServingTarget, wanted: ServingTarget | undefined): Claim {
  if (wanted === undefined || isNewRule(current, wanted)) {
    // What is admitted does not get through, or waits for a rule.
    return { servingStatus: PoolerServingStatus.NOT_SERVING, routingState: routingOf(current) };
  }
  return wanted.status === current.status && wanted.role === current.role
    ? { servingStatus: PoolerServingStatus.NOT_SERVING, routingState: REPLICA }
    : { servingStatus: PoolerServingStatus.DRAINING, routingState: routingOf(current) };
}

function isNewRule(current: ServingTarget, wanted: ServingTarget): boolean {
  return (
    wanted.status === current.status &&
    wanted.role === current.role &&
    (wanted.term?.coordinatorTerm !== current.term?.coordinatorTerm ||
      wanted.term?.leaderSubterm !== current.term?.leaderSubterm)
  );
}

function routingOf({ role, term }: ServingTarget): RoutingState {
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

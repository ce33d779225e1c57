import { PoolerRole, ServingStatus } from "@multipooler/controller-api";
import type { ServingTarget } from "@multipooler/controller-api";
import { PoolerLifecycleStatus, PoolerServingStatus, RoutingRole } from "@multipooler/topo";
import type { PoolerState } from "./pooler-record.ts";

/**
 * What the topology learns of a pooler, and when. Each announcement changes the fields of the record
 * that it names; "–" keeps what the record says.
 *
 * | announcement | made by    | when                                      | serving_status | routing_state   | lifecycle |
 * | ------------ | ---------- | ----------------------------------------- | -------------- | --------------- | --------- |
 * | (none yet)   | publisher  | the transports listen                     | NOT_SERVING    | none            | STARTING  |
 * | claiming     | reconciler | before the role PRIMARY is taken          | NOT_SERVING    | PRIMARY         | –         |
 * | reached      | reconciler | the controller is at the target           | as the target  | the target's    | –         |
 * | draining     | reconciler | before a status that admits queries is left | DRAINING     | still the old   | –         |
 * | active       | manager    | the pooler is ready for the first time    | –              | –               | ACTIVE    |
 * | stopping     | manager    | `close` begins                            | –              | –               | STOPPING  |
 * | stopped      | publisher  | `close` ends, and the name is still its own | NOT_SERVING  | none            | SHUTDOWN  |
 *
 * None of them changes the type, not even the last: it is what the administrator of the shard has set
 * (or `Newcomer`, once, where nobody had),
 * and a pooler that starts again goes by it. (Multigres derives it from the role and clears it at a stop.)
 *
 * The reconciler's three follow its table; `starting → active → stopping → stopped` is the life of
 * one run of the manager, and independent of them.
 */
export type Announcement =
  | { readonly type: "claiming" | "reached" | "draining"; readonly target: ServingTarget }
  | { readonly type: "active" | "stopping" | "stopped"; readonly reason: string };

/** The state of a pooler whose process has just started. */
export const START_STATE: PoolerState = {
  servingStatus: PoolerServingStatus.NOT_SERVING,
  lifecycle: { status: PoolerLifecycleStatus.LIFECYCLE_STARTING, reason: "process starting" },
  routingState: undefined,
};

/** What an announcement changes in the record. */
export function changeOf(announcement: Announcement): Partial<PoolerState> {
  switch (announcement.type) {
    case "claiming":
      return {
        servingStatus: PoolerServingStatus.NOT_SERVING,
        routingState: routingOf(announcement.target),
      };
    case "reached":
      return {
        servingStatus: recordStatus(announcement.target.status),
        routingState: routingOf(announcement.target),
      };
    case "draining":
      return {
        servingStatus: PoolerServingStatus.DRAINING,
        routingState: routingOf(announcement.target),
      };
    case "active":
      return { lifecycle: lifecycle(PoolerLifecycleStatus.LIFECYCLE_ACTIVE, announcement.reason) };
    case "stopping":
      return {
        lifecycle: lifecycle(PoolerLifecycleStatus.LIFECYCLE_STOPPING, announcement.reason),
      };
    case "stopped":
      return {
        servingStatus: PoolerServingStatus.NOT_SERVING,
        routingState: undefined,
        lifecycle: lifecycle(PoolerLifecycleStatus.LIFECYCLE_SHUTDOWN, announcement.reason),
      };
  }
}

function lifecycle(status: PoolerLifecycleStatus, reason: string): PoolerState["lifecycle"] {
  return { status, reason };
}

function routingOf({ role, term }: ServingTarget): PoolerState["routingState"] {
  switch (role) {
    case PoolerRole.Primary:
      return { role: RoutingRole.ROUTING_ROLE_PRIMARY, rule: term && { ...term } };
    case PoolerRole.Replica:
      return { role: RoutingRole.ROUTING_ROLE_REPLICA, rule: undefined };
  }
}

/** Other readers know no read-only status: a pooler that serves reads is SERVING, as a REPLICA. */
function recordStatus(status: ServingStatus): PoolerServingStatus {
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

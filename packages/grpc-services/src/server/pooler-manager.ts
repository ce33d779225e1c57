import type { PoolerController } from "@multipooler/controller-api";
import type {
  ConsensusVerbs,
  IntentStatus,
  ManagerStatus,
  OperatorIntent,
  ReplicationVerbs,
  RoleVerbs,
} from "@multipooler/manager";
import type { CallOptions } from "@multipooler/query-service";

/** What operators and orchestrators do to replication. */
export type PoolerReplication = Pick<ReplicationVerbs, keyof ReplicationVerbs>;

/** What changes the role of pooler and server. */
export type PoolerRoles = Pick<RoleVerbs, keyof RoleVerbs>;

/** The part of a `MultiPoolerManager` that the services use. */
export interface PoolerManager {
  /** The controller. Asked for at each call, and never kept. */
  queryServiceControl(): Pick<PoolerController, "getExecutor">;
  /** A snapshot of what the pooler is doing. */
  status(): ManagerStatus;
  /** Takes an operator's wish; see `MultiPoolerManager`. */
  setServingStatus(
    intent: OperatorIntent,
    options?: CallOptions & { readonly wait?: boolean | undefined },
  ): Promise<IntentStatus>;
  /** What coordinators agree on terms with. */
  readonly consensus: Pick<ConsensusVerbs, keyof ConsensusVerbs>;
  /** What changes the role of pooler and server; the same object in every state, as the next one. */
  readonly roles: PoolerRoles;
  /** What is done to replication. */
  readonly replication: PoolerReplication;
  /** Calls `listener` with each new status until the function that it returns is called. */
  watchStatus(listener: (status: ManagerStatus) => void): () => void;
}

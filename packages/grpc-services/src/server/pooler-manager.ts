import type { PoolerController } from "@multipooler/controller-api";
import type {
  ConsensusVerbs,
  IntentStatus,
  ManagerStatus,
  OperatorIntent,
  ReplicationVerbs,
} from "@multipooler/manager";
import type { CallOptions } from "@multipooler/query-service";

/** What operators and orchestrators do to replication. */
export type PoolerReplication = Pick<ReplicationVerbs, keyof ReplicationVerbs>;

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
  readonly consensus: Pick<
    ConsensusVerbs,
    "setTerm" | "beginTerm" | "status" | "leadershipView" | "canReachPrimary"
  >;
  /** What is done to replication; the same object in every state. */
  readonly replication: PoolerReplication;
  /** Calls `listener` with each new status until the function that it returns is called. */
  watchStatus(listener: (status: ManagerStatus) => void): () => void;
}

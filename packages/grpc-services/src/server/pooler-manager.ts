import type { PoolerController } from "@multipooler/controller-api";
import type { ManagerStatus } from "@multipooler/manager";

/** What the services need of a manager; a `MultiPoolerManager` has it. */
export interface PoolerManager {
  /** The controller. Asked anew at each call, and never kept. */
  queryServiceControl(): Pick<PoolerController, "getExecutor">;
  /** A snapshot of what the pooler is doing. */
  status(): ManagerStatus;
  /** Calls `listener` with each new status until the function that it returns is called. */
  watchStatus(listener: (status: ManagerStatus) => void): () => void;
}

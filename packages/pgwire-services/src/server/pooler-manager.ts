import type { PoolerController } from "@multipooler/controller-api";

/** The part of a `MultiPoolerManager` that the listener uses. */
export interface PoolerManager {
  /** The controller. Asked for at each login, and never kept. */
  queryServiceControl(): Pick<PoolerController, "getExecutor">;
}

import { MultiPoolerManagerDefinition } from "@multipooler/proto/manager-v1";
import { statusMessage } from "./manager-status-message.ts";
import type { PoolerManager } from "../server/pooler-manager.ts";
import { bindService, unary } from "../server/service-binding.ts";
import type { BoundService } from "../server/service-binding.ts";

/** Whose status the service reports, and the version of the program beside it. */
export interface ManagerServiceOptions {
  readonly manager: Pick<PoolerManager, "status">;
  /** The version of the program. */
  readonly version: string;
}

/** `multipooler.v1.MultiPoolerManager`, answered from the manager's snapshot. */
export function bindManagerService({ manager, version }: ManagerServiceOptions): BoundService {
  return bindService(MultiPoolerManagerDefinition, [
    unary(MultiPoolerManagerDefinition.methods.status, async () =>
      statusMessage(manager.status(), version),
    ),
  ]);
}

import { MultiPoolerManagerDefinition } from "@multipooler/proto/manager-v1";
import { systemClock } from "@multipooler/timing";
import { encodeHealthStreamResponse, managerHealthStream } from "./health-stream.ts";
import { statusMessage } from "./manager-status-message.ts";
import { promotionMethods } from "./promotion-binding.ts";
import { operationsMethods } from "./operations-binding.ts";
import type { PoolerOperations } from "./pooler-operations.ts";
import { replicationMethods } from "./replication-binding.ts";
import { intentMessage, servingMessage, wishedStatus } from "./serving-message.ts";
import type { PoolerManager } from "../server/pooler-manager.ts";
import { bidiStream, bindService, unary } from "../server/service-binding.ts";
import type { BoundService } from "../server/service-binding.ts";

/** The manager that the service stands for, and the version of the program beside it. */
export interface ManagerServiceOptions {
  readonly manager: Pick<
    PoolerManager,
    "status" | "watchStatus" | "setServingStatus" | "replication" | "roles"
  >;
  /** Aborts when the server begins to close. */
  readonly closing: AbortSignal;
  /** The version of the program. */
  readonly version: string;
  /** What the program itself answers. Default: nothing. */
  readonly operations?: PoolerOperations | undefined;
}

/** `multipooler.v1.MultiPoolerManager`: the manager's snapshot, an operator's wishes, replication, roles. */
export function bindManagerService({
  manager,
  version,
  closing,
  operations,
}: ManagerServiceOptions): BoundService {
  return bindService(MultiPoolerManagerDefinition, [
    unary(MultiPoolerManagerDefinition.methods.status, async () =>
      statusMessage(manager.status(), version),
    ),
    bidiStream(
      MultiPoolerManagerDefinition.methods.managerHealthStream,
      encodeHealthStreamResponse,
      (requests, sink, context) =>
        managerHealthStream(
          { manager, version, closing, clock: systemClock },
          requests,
          sink,
          context,
        ),
      { maxUnsentBytes: 1 },
    ),
    unary(
      MultiPoolerManagerDefinition.methods.setServingStatus,
      async ({ status, reason, wait }, { signal }) => {
        const intent = { status: wishedStatus(status), reason };
        const held = await manager.setServingStatus(intent, { wait, signal });
        return { intent: intentMessage(held), serving: servingMessage(manager.status().serving) };
      },
    ),
    ...(operations === undefined ? [] : operationsMethods(operations)),
    ...replicationMethods(manager.replication),
    ...promotionMethods(manager.roles),
  ]);
}

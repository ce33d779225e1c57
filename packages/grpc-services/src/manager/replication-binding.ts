import type { CallOptions } from "@multipooler/query-service";
import { MultiPoolerManagerDefinition } from "@multipooler/proto/manager-v1";
import type { StopReplicationRequest, ReplicationStatus } from "@multipooler/proto/replication-v1";
import { durationMs } from "./duration-message.ts";
import { PAUSE_MODES, wordOf } from "./replication-enum.ts";
import {
  followersMessage,
  primaryStatusMessage,
  replicationStatusMessage,
} from "./replication-message.ts";
import {
  followRequest,
  standbyUpdate,
  synchronousRequest,
  termClaim,
} from "./replication-request.ts";
import type { PoolerReplication } from "../server/pooler-manager.ts";
import { unary } from "../server/service-binding.ts";
import type { HandledMethod } from "../server/service-binding.ts";

const METHODS = MultiPoolerManagerDefinition.methods;

/** The calls about replication of `multipooler.v1.MultiPoolerManager`. */
export function replicationMethods(replication: PoolerReplication): readonly HandledMethod[] {
  return [...standbyMethods(replication), ...primaryMethods(replication)];
}

function standbyMethods(replication: PoolerReplication): readonly HandledMethod[] {
  const stop = async (
    { mode, wait }: StopReplicationRequest,
    { signal }: CallOptions,
  ): Promise<{ status: ReplicationStatus }> => {
    const paused = wordOf(PAUSE_MODES, { field: "mode", value: mode });
    const status = await replication.stopReplication(paused, { waits: wait, signal });
    return { status: replicationStatusMessage(status) };
  };
  return [
    unary(METHODS.waitForLSN, async ({ targetLsn, timeout }, { signal }) => {
      const timeoutMs = timeout && durationMs("timeout", timeout);
      await replication.waitForLsn(targetLsn, { timeoutMs, signal });
      return {};
    }),
    unary(METHODS.setPrimaryConnInfo, async (request, { signal }) => {
      const claim = termClaim(request.currentTerm, request.forceReason);
      await replication.setPrimaryConnInfo(followRequest(request), { ...claim, signal });
      return {};
    }),
    unary(METHODS.startReplication, async (_, { signal }) => {
      await replication.startReplication({ signal });
      return {};
    }),
    unary(METHODS.stopReplication, stop),
    unary(METHODS.stopReplicationAndGetStatus, stop),
    unary(METHODS.replicationStatus, async (_, { signal }) => ({
      status: replicationStatusMessage(await replication.replicationStatus({ signal })),
    })),
    unary(METHODS.resetReplication, async (_, { signal }) => ({
      status: replicationStatusMessage(await replication.resetReplication({ signal })),
    })),
  ];
}

function primaryMethods(replication: PoolerReplication): readonly HandledMethod[] {
  return [
    unary(METHODS.configureSynchronousReplication, async (request, { signal }) => {
      await replication.configureSynchronousReplication(synchronousRequest(request), { signal });
      return {};
    }),
    unary(METHODS.updateSynchronousStandbyList, async (request, { signal }) => {
      const claim = termClaim(request.consensusTerm, request.forceReason);
      const update = standbyUpdate(request);
      await replication.updateSynchronousStandbyList(update, { ...claim, signal });
      return {};
    }),
    unary(METHODS.primaryStatus, async (_, { signal }) => ({
      status: primaryStatusMessage(await replication.primaryStatus({ signal })),
    })),
    unary(METHODS.primaryPosition, async (_, { signal }) => ({
      lsnPosition: await replication.primaryPosition({ signal }),
    })),
    unary(METHODS.getFollowers, async (_, { signal }) =>
      followersMessage(await replication.getFollowers({ signal })),
    ),
  ];
}

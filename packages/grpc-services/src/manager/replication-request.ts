import type {
  FollowRequest,
  PoolerIdentity,
  StandbyUpdate,
  SynchronousReplication,
  TermClaim,
} from "@multipooler/manager";
import { ID_ComponentType } from "@multipooler/proto/clustermetadata";
import type { ID } from "@multipooler/proto/clustermetadata";
import { SynchronousMethod } from "@multipooler/proto/replication-v1";
import type {
  ConfigureSynchronousReplicationRequest,
  SetPrimaryConnInfoRequest,
  UpdateSynchronousStandbyListRequest,
} from "@multipooler/proto/replication-v1";
import { GrpcServicesError, GrpcServicesErrorCode } from "../errors/error.ts";
import { COMMITS, METHODS, OPERATIONS, wordOf } from "./replication-enum.ts";

/** Whom a standby is to follow. */
export function followRequest(request: SetPrimaryConnInfoRequest): FollowRequest {
  return {
    host: request.host,
    port: request.port,
    pausesReplayBefore: request.stopReplicationBefore,
    resumesReplayAfter: request.startReplicationAfter,
  };
}

/** By which right. */
export function termClaim(term: bigint, forceReason: string): TermClaim {
  return { term, force: forceReason === "" ? undefined : forceReason };
}

/**
 * For whom a primary is to wait.
 *
 * @throws INVALID_ARGUMENT, naming the field
 */
export function synchronousRequest({
  configuration,
}: ConfigureSynchronousReplicationRequest): SynchronousReplication {
  if (configuration === undefined) {
    throw refused("configuration must be given");
  }
  const { synchronousCommit, synchronousMethod, numSync, standbyIds } = configuration;
  const waitsForNobody =
    standbyIds.length === 0 &&
    synchronousMethod === SynchronousMethod.SYNCHRONOUS_METHOD_UNSPECIFIED;
  return {
    commit: wordOf(COMMITS, { field: "synchronous_commit", value: synchronousCommit }),
    method: waitsForNobody
      ? "first"
      : wordOf(METHODS, { field: "synchronous_method", value: synchronousMethod }),
    count: numSync,
    standbys: standbyIds.map(poolerOf),
  };
}

/**
 * What is to become of the standbys that a primary waits for.
 *
 * @throws INVALID_ARGUMENT, naming the field
 */
export function standbyUpdate(request: UpdateSynchronousStandbyListRequest): StandbyUpdate {
  return {
    operation: wordOf(OPERATIONS, {
      field: "operation",
      value: request.operation,
      unspecified: "operation must be specified",
    }),
    standbys: request.standbyIds.map(poolerOf),
  };
}

/** The manager looks at the names themselves. */
function poolerOf({ component, cell, name }: ID, index: number): PoolerIdentity {
  const { MULTIPOOLER, UNKNOWN } = ID_ComponentType;
  if (component !== MULTIPOOLER && component !== UNKNOWN) {
    throw refused(`standby_ids[${index}].component is ${component}; it must be MULTIPOOLER (1)`);
  }
  return { cell, name };
}

function refused(message: string): GrpcServicesError {
  return new GrpcServicesError(GrpcServicesErrorCode.InvalidArgument, message);
}

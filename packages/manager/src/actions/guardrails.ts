import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import { PoolerType } from "../record/pooler-type.ts";

/** What PostgreSQL is: out of recovery, or in it. */
export type RecoveryState = "primary" | "standby";

/** A verb of replication, as the management API calls it. */
export type ReplicationVerb =
  | "WaitForLSN"
  | "SetPrimaryConnInfo"
  | "StartReplication"
  | "StopReplication"
  | "ReplicationStatus"
  | "ResetReplication"
  | "ConfigureSynchronousReplication"
  | "UpdateSynchronousStandbyList"
  | "PrimaryStatus"
  | "PrimaryPosition"
  | "GetFollowers";

/**
 * The type that the topology has to name before a verb does anything; PostgreSQL has to be what goes with
 * it.
 */
export const REQUIRED_TYPES: Readonly<Record<ReplicationVerb, PoolerType>> = {
  WaitForLSN: PoolerType.Replica,
  SetPrimaryConnInfo: PoolerType.Replica,
  StartReplication: PoolerType.Replica,
  StopReplication: PoolerType.Replica,
  ReplicationStatus: PoolerType.Replica,
  ResetReplication: PoolerType.Replica,
  ConfigureSynchronousReplication: PoolerType.Primary,
  UpdateSynchronousStandbyList: PoolerType.Primary,
  PrimaryStatus: PoolerType.Primary,
  PrimaryPosition: PoolerType.Primary,
  GetFollowers: PoolerType.Primary,
};

/** The refusal of every verb while the manager closes. */
export function shuttingDown(): ManagerError {
  return new ManagerError(ManagerErrorCode.NotOpen, "the pooler is shutting down");
}

/** The refusal of every verb after a start that failed; it has the code of that. */
export function managerFailed(cause: ManagerError): ManagerError {
  const { code, message, sqlState } = cause;
  return new ManagerError(code, `manager is in error state: ${message}`, { cause, sqlState });
}

/** Throws FAILED_PRECONDITION where the topology names another type. */
export function requireType(
  required: PoolerType,
  { type, serviceId }: { readonly type: PoolerType; readonly serviceId: string },
): void {
  if (type !== required) {
    throw notAllowed(`pooler type is ${type}, must be ${required} (service_id: ${serviceId})`);
  }
}

const REFUSALS: Readonly<Record<RecoveryState, string>> = {
  primary: "the PostgreSQL instance is in standby mode",
  standby: "the PostgreSQL instance is not in standby mode",
};

/** Throws FAILED_PRECONDITION where the server is not in the state. */
export function requireRecovery(
  state: RecoveryState,
  { inRecovery }: { readonly inRecovery: boolean },
): void {
  if (inRecovery !== (state === "standby")) {
    throw notAllowed(REFUSALS[state]);
  }
}

function notAllowed(why: string): ManagerError {
  return new ManagerError(ManagerErrorCode.FailedPrecondition, `operation not allowed: ${why}`);
}

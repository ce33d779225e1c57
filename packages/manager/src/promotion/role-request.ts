import { checkForce } from "../actions/force-reason.ts";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import { checkLsn } from "../replication/lsn.ts";
import { checkSynchronous } from "../replication/synchronous-replication.ts";
import type { Lsn, SynchronousReplication } from "../replication/replication-control.ts";

/** By which right a role is changed, and whether it is. */
export interface RoleRequest {
  /** Of the caller; not looked at where it is forced. Default 0, which no pooler with a term accepts. */
  readonly term?: bigint | undefined;
  /** Why neither term nor state are to be looked at, one line for the log. */
  readonly force?: string | undefined;
  /** True: check everything, change nothing, and tell the steps. */
  readonly explain?: boolean | undefined;
}

export interface PromoteRequest extends RoleRequest {
  /** How far the standby must have come, exactly; `undefined`: it does not matter. */
  readonly expectedLsn?: Lsn | undefined;
  /** For whom the new primary waits at commit; `undefined`: for whom PostgreSQL is configured to. */
  readonly synchronous?: SynchronousReplication | undefined;
}

export interface DemoteRequest extends RoleRequest {
  /** How long running work may take to end: 0 to 3600000, default 5000. */
  readonly drainTimeoutMs?: number | undefined;
}

const MAX_DRAIN_TIMEOUT_MS = 3_600_000;

/** Throws INVALID_ARGUMENT, naming the field. */
export function checkRequest(request: PromoteRequest & DemoteRequest): void {
  const { expectedLsn, synchronous, drainTimeoutMs = 0, force } = request;
  if (expectedLsn !== undefined) {
    checkLsn("expected_lsn", expectedLsn);
  }
  if (synchronous !== undefined) {
    checkSynchronous(synchronous);
  }
  if (!(drainTimeoutMs >= 0 && drainTimeoutMs <= MAX_DRAIN_TIMEOUT_MS)) {
    throw invalid(`drain_timeout is ${drainTimeoutMs} ms; it must be 0 to ${MAX_DRAIN_TIMEOUT_MS}`);
  }
  checkForce(force);
}

function invalid(message: string): ManagerError {
  return new ManagerError(ManagerErrorCode.InvalidArgument, message);
}

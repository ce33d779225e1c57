import { PoolerRole, ServingStatus } from "@multipooler/controller-api";
import type { ServingTarget } from "@multipooler/controller-api";
import { PoolerErrorCode, QueryMode } from "@multipooler/query-service";
import { MultiPoolerError, errorDiagnostic } from "../error.ts";
import type { ReadOnlyEscapes } from "../read-only-guard.ts";

/**
 * What a request asks of the gate.
 *
 * | kind        | is                                                                    |
 * | ----------- | --------------------------------------------------------------------- |
 * | single      | one request that leaves nothing behind                                |
 * | reservation | one that begins a transaction or another reservation                  |
 * | reserved    | one inside a reservation that exists, COMMIT and ROLLBACK among them  |
 */
export type RequestKind = "single" | "reservation" | "reserved";

/** How far the gate is on its way from one status to another. */
export type GatePhase = "settled" | "draining reserved" | "draining all" | "closing";

/**
 * Who gets in. "status": where the status is a serving one and the role fits the mode of the
 * request. COMMIT always gets in: a transaction that is cut loses what its client believes done.
 */
const ADMITTED: Readonly<
  Record<GatePhase, Readonly<Record<RequestKind, "yes" | "no" | "status">>>
> = {
  settled: { single: "status", reservation: "status", reserved: "yes" },
  "draining reserved": { single: "status", reservation: "no", reserved: "yes" },
  "draining all": { single: "no", reservation: "no", reserved: "yes" },
  closing: { single: "no", reservation: "no", reserved: "no" },
};

/** What of the gate an admission depends on; it is decided in one go with that. */
export interface AdmissionState {
  readonly phase: GatePhase;
  readonly current: ServingTarget;
  /** The target of a change that is under way. */
  readonly wanted?: ServingTarget;
}

/** Why a request is not admitted, or `undefined` if it is. The error is always NOT_SERVING. */
export function refusal(
  kind: RequestKind,
  mode: QueryMode,
  { phase, current, wanted }: AdmissionState,
): MultiPoolerError | undefined {
  switch (ADMITTED[phase][kind]) {
    case "yes":
      return undefined;
    case "no":
      return leavingError(wanted ?? current);
    case "status":
      return refusalByStatus(mode, current);
  }
}

/**
 * Why an admitted statement may not run while `current` is served, or `undefined` if it may. The
 * error is always READ_ONLY. On a standby PostgreSQL itself stops what writes.
 *
 * @param escapes what was found in the statement that a read-only session does not stop
 */
export function readOnlyRefusal(
  current: ServingTarget,
  escapes: ReadOnlyEscapes | undefined,
): MultiPoolerError | undefined {
  if (current.status !== ServingStatus.ServingReadOnly || escapes === undefined) {
    return undefined;
  }
  const writing = current.inRecovery === true ? undefined : escapes.writing;
  const escape = escapes.administration ?? writing;
  if (escape === undefined) {
    return undefined;
  }
  const message = `${escape} is not allowed while the pooler serves read-only`;
  return new MultiPoolerError(PoolerErrorCode.ReadOnly, message, {
    diagnostic: errorDiagnostic("25006", message),
  });
}

/** Whether a status admits new requests. */
export function isServingStatus(status: ServingStatus): boolean {
  switch (status) {
    case ServingStatus.Serving:
    case ServingStatus.ServingReadOnly:
      return true;
    case ServingStatus.Drained:
    case ServingStatus.NotServing:
      return false;
  }
}

/** Whether a pooler with this target admits what needs a primary. */
export function servesAsPrimary({ status, role }: ServingTarget): boolean {
  return isServingStatus(status) && role === PoolerRole.Primary;
}

/** Says that the pooler is on its way out. */
export function leavingError({ status, role, reason }: ServingTarget): MultiPoolerError {
  return new MultiPoolerError(
    PoolerErrorCode.NotServing,
    `this pooler is becoming ${status} ${role} (${reason}); retry, or ask another one`,
  );
}

function refusalByStatus(mode: QueryMode, current: ServingTarget): MultiPoolerError | undefined {
  const { status, role, reason } = current;
  if (!isServingStatus(status)) {
    return new MultiPoolerError(
      PoolerErrorCode.NotServing,
      `this pooler is ${status} (${reason}); retry, or ask another one`,
    );
  }
  if (needsPrimary(mode) && role !== PoolerRole.Primary) {
    return new MultiPoolerError(
      PoolerErrorCode.NotServing,
      `a ${mode} query needs the primary, and this pooler is a replica; retry on the primary`,
    );
  }
  return undefined;
}

function needsPrimary(mode: QueryMode): boolean {
  switch (mode) {
    case QueryMode.Writable:
    case QueryMode.Consistent:
      return true;
    case QueryMode.Inconsistent:
    case QueryMode.Unspecified:
      return false;
  }
}

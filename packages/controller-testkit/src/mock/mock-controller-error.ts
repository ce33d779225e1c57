import { PoolerErrorCode } from "@multipooler/query-service";
import type { Diagnostic, PoolerError, Reservation } from "@multipooler/query-service";

/** Adds to the code and the message of a {@link MockControllerError}. */
export interface MockErrorDetails {
  readonly diagnostic?: Diagnostic | undefined;
  readonly reservation?: Reservation | undefined;
  readonly cause?: unknown;
}

/** What a {@link MockController} throws. Scripts throw it to fail a request as a database does. */
export class MockControllerError extends Error implements PoolerError {
  override readonly name = "PoolerError";
  readonly code: PoolerErrorCode;
  readonly diagnostic: Diagnostic | undefined;
  readonly reservation: Reservation | undefined;

  constructor(code: PoolerErrorCode, message: string, details: MockErrorDetails = {}) {
    super(message, "cause" in details ? { cause: details.cause } : undefined);
    this.code = code;
    this.diagnostic = details.diagnostic;
    this.reservation = details.reservation;
  }
}

/** A failure as the database words it: DATABASE_ERROR with a diagnostic of that SQLSTATE. */
export function databaseError(sqlstate: string, message: string): MockControllerError {
  return new MockControllerError(PoolerErrorCode.DatabaseError, message, {
    diagnostic: { kind: "error", severity: "ERROR", code: sqlstate, message },
  });
}

/** The error itself if it is one of a controller, INTERNAL for everything else. */
export function mockError(error: unknown): MockControllerError {
  if (error instanceof MockControllerError) {
    return error;
  }
  const message = error instanceof Error ? error.message : "a script failed";
  return new MockControllerError(PoolerErrorCode.Internal, message, { cause: error });
}

/** The same failure, of a caller who still holds `reservation`. */
export function withReservation(
  thrown: unknown,
  reservation: Reservation | undefined,
): MockControllerError {
  const { code, message, diagnostic, cause } = mockError(thrown);
  return new MockControllerError(code, message, { diagnostic, reservation, cause });
}

/** Why an aborted signal ends a call. */
export function abortError(signal: AbortSignal): MockControllerError {
  const reason: unknown = signal.reason;
  if (reason instanceof MockControllerError) {
    return reason;
  }
  const isDeadline = reason instanceof Error && reason.name === "TimeoutError";
  return isDeadline
    ? new MockControllerError(PoolerErrorCode.DeadlineExceeded, "the deadline of the call passed")
    : new MockControllerError(PoolerErrorCode.Cancelled, "the call was cancelled");
}

/** The error for an id that names no reservation, or one that was ended. */
export function reservationLost(id: bigint): MockControllerError {
  return new MockControllerError(
    PoolerErrorCode.ReservationLost,
    `reserved connection ${id} is not known`,
    {
      diagnostic: {
        kind: "error",
        severity: "ERROR",
        code: "40001",
        message: "reserved connection terminated; please retry",
      },
    },
  );
}

/** The error of a member that the mock does not have. */
export function unimplemented(what: string): MockControllerError {
  return new MockControllerError(PoolerErrorCode.Unimplemented, `the mock has no ${what}`);
}

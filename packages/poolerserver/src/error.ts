import { PoolerErrorCode } from "@multipooler/query-service";
import type { Diagnostic, PoolerError, Reservation } from "@multipooler/query-service";

/** Adds to the code and the message of a {@link MultiPoolerError}. */
export interface MultiPoolerErrorOptions {
  readonly cause?: unknown;
  readonly diagnostic?: Diagnostic | undefined;
  readonly reservation?: Reservation | undefined;
}

/** The error of this package. Callers switch on `code`; the message is for people. */
export class MultiPoolerError extends Error implements PoolerError {
  override readonly name = "PoolerError";
  readonly code: PoolerErrorCode;
  readonly diagnostic: Diagnostic | undefined;
  readonly reservation: Reservation | undefined;

  constructor(code: PoolerErrorCode, message: string, options: MultiPoolerErrorOptions = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.diagnostic = options.diagnostic;
    this.reservation = options.reservation;
  }
}

/** An error in PostgreSQL's form, for what the pooler itself has to tell a client. */
export function errorDiagnostic(
  code: string,
  message: string,
  more: { readonly detail?: string; readonly hint?: string } = {},
): Diagnostic {
  return { kind: "error", severity: "ERROR", code, message, ...more };
}

/** The error itself, or INTERNAL for one that nobody expected. */
export function poolerError(error: unknown): MultiPoolerError {
  if (error instanceof MultiPoolerError) {
    return error;
  }
  const message = "a request failed unexpectedly";
  return new MultiPoolerError(PoolerErrorCode.Internal, message, { cause: error });
}

const CODES: ReadonlySet<unknown> = new Set(Object.values(PoolerErrorCode));

/** What a `DatabaseHandle` rejects with. */
export function isPoolerError(error: unknown): error is PoolerError {
  return (
    error instanceof Error &&
    error.name === "PoolerError" &&
    "code" in error &&
    CODES.has(error.code)
  );
}

/** Nothing is admitted any more, or not yet. */
export function notOpenError(): MultiPoolerError {
  return new MultiPoolerError(PoolerErrorCode.NotOpen, "the controller is not open");
}

/**
 * Why an aborted signal ends a call: its reason if that is an error of this package, otherwise
 * DEADLINE_EXCEEDED for a `TimeoutError` and CANCELLED for everything else.
 */
export function abortError(signal: AbortSignal): MultiPoolerError {
  const reason: unknown = signal.reason;
  if (reason instanceof MultiPoolerError) {
    return reason;
  }
  if (reason instanceof Error && reason.name === "TimeoutError") {
    return new MultiPoolerError(
      PoolerErrorCode.DeadlineExceeded,
      "the deadline of the call passed",
      { cause: reason },
    );
  }
  return new MultiPoolerError(PoolerErrorCode.Cancelled, "the call was cancelled", {
    cause: reason,
  });
}

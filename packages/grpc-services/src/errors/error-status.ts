import { ManagerError } from "@multipooler/manager";
import type { ManagerErrorCode } from "@multipooler/manager";
import { MalformedMessageError } from "@multipooler/query-service";
import type { Diagnostic, PoolerError, PoolerErrorCode } from "@multipooler/query-service";
import { Code } from "@multipooler/proto/mtrpc";
import { diagnosticMessage } from "../query/diagnostic-message.ts";
import { GrpcServicesError } from "./error.ts";
import type { GrpcServicesErrorCode } from "./error.ts";
import { isPoolerError } from "./pooler-error.ts";
import { ReservedFailure } from "./reserved-failure.ts";
import { detailedStatus, plainStatus, withReservedState } from "./rpc-status.ts";
import type { RpcStatus } from "./rpc-status.ts";

/**
 * The status of a call that ended with `error`: the only place where errors become statuses. The
 * reason of a call that was cut, as `CallContext.signal` has it, is CANCELED or DEADLINE_EXCEEDED.
 * What else is no typed error becomes INTERNAL with a text that gives nothing away; the caller logs it.
 */
export function errorStatus(error: unknown): RpcStatus {
  if (error instanceof ReservedFailure) {
    return withReservedState(errorStatus(error.cause), error.state);
  }
  if (isPoolerError(error)) {
    const { code, diagnostic } = POOLER_STATUS[error.code];
    const shown = error.diagnostic ?? diagnostic?.(error.message);
    return detailedStatus(
      code,
      errorText(error),
      shown === undefined ? undefined : diagnosticMessage(shown),
    );
  }
  if (error instanceof MalformedMessageError) {
    return detailedStatus(Code.INTERNAL, `malformed result: ${error.message}`, undefined);
  }
  if (error instanceof ManagerError) {
    return plainStatus(MANAGER_STATUS[error.code], error.message);
  }
  if (error instanceof GrpcServicesError) {
    return OWN_STATUS[error.code](error);
  }
  if (error instanceof DOMException && error.name === "TimeoutError") {
    return plainStatus(Code.DEADLINE_EXCEEDED, error.message);
  }
  if (error instanceof DOMException && error.name === "AbortError") {
    return plainStatus(Code.CANCELED, error.message);
  }
  return detailedStatus(Code.INTERNAL, "internal error", undefined);
}

/** The code for an error of the controller, and the diagnostic for one that has none. */
interface PoolerStatus {
  readonly code: Code;
  readonly diagnostic?: (message: string) => Diagnostic;
}

/** A code of UNKNOWN is what Multigres has for "see the diagnostic". */
const POOLER_STATUS: Readonly<Record<PoolerErrorCode, PoolerStatus>> = {
  NOT_INITIALIZED: { code: Code.PRE_EXECUTION_UNAVAILABLE, diagnostic: temporarilyUnavailable },
  NOT_OPEN: { code: Code.PRE_EXECUTION_UNAVAILABLE, diagnostic: temporarilyUnavailable },
  NOT_SERVING: {
    code: Code.UNKNOWN,
    diagnostic: (message) => ({
      kind: "error",
      severity: "ERROR",
      code: "MTF01",
      message: "planned failover in progress",
      detail:
        "The pooler is transitioning during a planned failover. " +
        "The query will be retried automatically.",
      hint: message,
    }),
  },
  WRONG_TARGET: {
    code: Code.UNKNOWN,
    diagnostic: (message) => ({
      kind: "error",
      severity: "ERROR",
      code: "MTD01",
      message: `[BUG] ${message}`,
      detail:
        "A query reached a pooler of another shard, which is a fault of its router. " +
        "Please report it at https://github.com/multigres/multigres/issues/new/choose.",
    }),
  },
  INVALID_ARGUMENT: { code: Code.INVALID_ARGUMENT },
  UNIMPLEMENTED: { code: Code.UNIMPLEMENTED },
  READ_ONLY: { code: Code.UNKNOWN, diagnostic: errorOf("25006") },
  RESERVATION_LOST: {
    code: Code.UNKNOWN,
    diagnostic: (message) => ({
      kind: "error",
      severity: "ERROR",
      code: "40001",
      message: "reserved connection terminated; please retry",
      detail: message,
    }),
  },
  POOL_EXHAUSTED: { code: Code.UNKNOWN, diagnostic: errorOf("53300") },
  PRE_EXECUTION_UNAVAILABLE: {
    code: Code.PRE_EXECUTION_UNAVAILABLE,
    diagnostic: temporarilyUnavailable,
  },
  AUTHENTICATION_FAILED: { code: Code.UNKNOWN, diagnostic: errorOf("28000") },
  CONNECTION_LOST: { code: Code.UNKNOWN, diagnostic: errorOf("08006") },
  DATABASE_ERROR: { code: Code.UNKNOWN, diagnostic: errorOf("XX000") },
  SUBSCRIBER_BEHIND: { code: Code.RESOURCE_EXHAUSTED, diagnostic: errorOf("53400") },
  CANCELLED: { code: Code.CANCELED },
  DEADLINE_EXCEEDED: { code: Code.DEADLINE_EXCEEDED },
  INTERNAL: { code: Code.INTERNAL },
};

/** What a caller of the manager is told. It is an operator, who gets the message of every error. */
const MANAGER_STATUS: Readonly<Record<ManagerErrorCode, Code>> = {
  INVALID_CONFIG: Code.FAILED_PRECONDITION,
  ALREADY_OPEN: Code.FAILED_PRECONDITION,
  NOT_OPEN: Code.UNAVAILABLE,
  CANCELLED: Code.CANCELED,
  INVALID_ARGUMENT: Code.INVALID_ARGUMENT,
  SUPERSEDED: Code.ABORTED,
  FAILED_PRECONDITION: Code.FAILED_PRECONDITION,
  UNSUPPORTED: Code.UNIMPLEMENTED,
  TIMED_OUT: Code.DEADLINE_EXCEEDED,
  LOCK_NOT_ACQUIRED: Code.DEADLINE_EXCEEDED,
  PROCESS_CONTROL_FAILED: Code.UNAVAILABLE,
  LISTEN_FAILED: Code.FAILED_PRECONDITION,
  RECORD_FILE_INVALID: Code.FAILED_PRECONDITION,
  REGISTRATION_REFUSED: Code.FAILED_PRECONDITION,
  NAME_IN_USE: Code.FAILED_PRECONDITION,
  SECOND_PRIMARY: Code.FAILED_PRECONDITION,
  DATABASE_UNAVAILABLE: Code.UNAVAILABLE,
  TLS_FAILED: Code.UNAVAILABLE,
  DATABASE_LEAVING: Code.UNAVAILABLE,
  DATABASE_TIMEOUT: Code.DEADLINE_EXCEEDED,
  DATABASE_ERROR: Code.UNKNOWN,
  AUTHENTICATION_FAILED: Code.FAILED_PRECONDITION,
  LOGIN_UNSUPPORTED: Code.FAILED_PRECONDITION,
  DATABASE_NOT_FOUND: Code.FAILED_PRECONDITION,
  NOT_POSTGRESQL: Code.FAILED_PRECONDITION,
  CLOSE_FAILED: Code.INTERNAL,
  INTERNAL: Code.INTERNAL,
};

/** Multigres sends refused arguments without details, so ours have none either. */
const OWN_STATUS: Readonly<Record<GrpcServicesErrorCode, (error: GrpcServicesError) => RpcStatus>> =
  {
    LISTEN_FAILED: ({ message }) => plainStatus(Code.INTERNAL, message),
    TLS_FILES_INVALID: ({ message }) => plainStatus(Code.INTERNAL, message),
    ALREADY_LISTENING: ({ message }) => plainStatus(Code.INTERNAL, message),
    CANCELLED: ({ message }) => plainStatus(Code.CANCELED, message),
    INVALID_ARGUMENT: ({ message }) => plainStatus(Code.INVALID_ARGUMENT, message),
    MISSING_ARGUMENT: ({ message }) => detailedStatus(Code.UNKNOWN, message, undefined),
    NOT_FOUND: ({ message }) => plainStatus(Code.NOT_FOUND, message),
    UNAVAILABLE: ({ message }) => plainStatus(Code.UNAVAILABLE, message),
    LOOKUP_FAILED: ({ message }) => plainStatus(Code.INTERNAL, message),
    UNIMPLEMENTED: ({ message }) => plainStatus(Code.UNIMPLEMENTED, message),
    // As gRPC's own documentation of its codes asks of servers.
    MALFORMED_REQUEST: ({ message }) => plainStatus(Code.INTERNAL, message),
    MESSAGE_TOO_LARGE: ({ message }) =>
      detailedStatus(
        Code.RESOURCE_EXHAUSTED,
        message,
        diagnosticMessage(errorOf("54000")(message)),
      ),
    REQUEST_TOO_LARGE: ({ message }) => plainStatus(Code.RESOURCE_EXHAUSTED, message),
    ABORTED: ({ message }) => plainStatus(Code.ABORTED, message),
    INCOMPLETE_REQUEST: ({ message }) => plainStatus(Code.INTERNAL, message),
    RECEIVE_TIMEOUT: ({ message }) => plainStatus(Code.DEADLINE_EXCEEDED, message),
    SUBSCRIBER_BEHIND: ({ message }) =>
      detailedStatus(
        Code.RESOURCE_EXHAUSTED,
        message,
        diagnosticMessage(errorOf("53400")(message)),
      ),
    RECEIVING_TOO_MUCH: ({ message }) =>
      detailedStatus(
        Code.RESOURCE_EXHAUSTED,
        message,
        diagnosticMessage(errorOf("53400")(message)),
      ),
    TOKENS_INVALID: ({ message }) => plainStatus(Code.INTERNAL, message),
    SETTINGS_REFUSED: ({ message }) => plainStatus(Code.FAILED_PRECONDITION, message),
    MALFORMED_ROWS: ({ message }) => detailedStatus(Code.INTERNAL, message, undefined),
  };

function errorOf(code: string): (message: string) => Diagnostic {
  return (message) => ({ kind: "error", severity: "ERROR", code, message });
}

/** The text is Multigres' own; a gateway that waits for another primary never shows it. */
function temporarilyUnavailable(message: string): Diagnostic {
  return {
    kind: "error",
    severity: "ERROR",
    code: "57P03",
    message: "database is temporarily unavailable; please retry",
    hint: message,
  };
}

/** Causes beyond this many are not worth a reader's time. */
const MAX_CAUSES = 8;

/** The messages of an error and of its causes, outermost first, each said once. */
function errorText(outermost: PoolerError): string {
  let text = outermost.message;
  let cause = outermost.cause;
  for (let depth = 0; depth < MAX_CAUSES && cause instanceof Error; depth += 1) {
    if (!text.includes(cause.message)) {
      text += `: ${cause.message}`;
    }
    cause = cause.cause;
  }
  return text;
}

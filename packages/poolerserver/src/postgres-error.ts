import { PgwireError, PgwireErrorCode } from "@multipooler/pgwire";
import { PoolerErrorCode } from "@multipooler/query-service";
import type { Diagnostic } from "@multipooler/query-service";
import { MultiPoolerError, errorDiagnostic } from "./error.ts";

const READ_ONLY_SQL_TRANSACTION = "25006";
/** Sent by a server that has no connection left for this role or database, or none at all. */
export const TOO_MANY_CONNECTIONS = "53300";
/** Where PostgreSQL compares the connections of a role and a database with their limits. */
const LIMITED_BY_ROUTINE: ReadonlyMap<string, LimitedOwner> = new Map([
  ["InitializeSessionUserId", "user"],
  ["CheckMyDatabase", "database"],
]);

/**
 * The error of a failed attempt to open a session. Nothing of a request was sent by then, so that a
 * database that cannot be reached is PRE_EXECUTION_UNAVAILABLE, with what PostgreSQL said if it
 * said anything. What a later attempt would not change, such as an unknown database, is
 * DATABASE_ERROR, or AUTHENTICATION_FAILED if it is about who we are.
 */
export function dialError(error: unknown): MultiPoolerError {
  if (error instanceof MultiPoolerError) {
    return error;
  }
  if (!(error instanceof PgwireError)) {
    return internalError("opening a connection failed unexpectedly", error);
  }
  const { code, diagnostic } = error;
  switch (code) {
    case PgwireErrorCode.AuthenticationFailed:
      return failure(PoolerErrorCode.AuthenticationFailed, "authentication failed", error);
    case PgwireErrorCode.Postgres:
      return refusal(error, diagnostic);
    case PgwireErrorCode.Unsupported:
      return failure(PoolerErrorCode.Unimplemented, "the database cannot be connected to", error);
    case PgwireErrorCode.InvalidArgument:
      return failure(PoolerErrorCode.InvalidArgument, "the database cannot be named", error);
    case PgwireErrorCode.ConnectFailed:
    case PgwireErrorCode.TlsFailed:
    case PgwireErrorCode.ConnectionLost:
    case PgwireErrorCode.Closed:
    case PgwireErrorCode.ProtocolViolation:
    case PgwireErrorCode.Aborted:
      return unavailable(error);
  }
}

/** The error of a failed request. */
export function queryError(error: unknown): MultiPoolerError {
  if (!(error instanceof PgwireError)) {
    return internalError("a query failed unexpectedly", error);
  }
  switch (error.code) {
    case PgwireErrorCode.Postgres:
      return error.diagnostic?.code === READ_ONLY_SQL_TRANSACTION
        ? failure(PoolerErrorCode.ReadOnly, "the statement would write", error)
        : failure(PoolerErrorCode.DatabaseError, "the database answered with an error", error);
    case PgwireErrorCode.Unsupported:
      return new MultiPoolerError(PoolerErrorCode.Unimplemented, error.message, {
        cause: error,
        diagnostic: errorDiagnostic("0A000", error.message),
      });
    case PgwireErrorCode.InvalidArgument:
      return new MultiPoolerError(PoolerErrorCode.InvalidArgument, error.message, { cause: error });
    case PgwireErrorCode.ConnectFailed:
    case PgwireErrorCode.TlsFailed:
    case PgwireErrorCode.Closed:
    case PgwireErrorCode.Aborted:
    case PgwireErrorCode.AuthenticationFailed:
    case PgwireErrorCode.ConnectionLost:
    case PgwireErrorCode.ProtocolViolation:
      return error.sent ? connectionLost(error) : unavailable(error);
  }
}

/** Whose connections are limited by themselves, beside those of the server. */
export type LimitedOwner = "user" | "database";

/** Whether a dial was refused because PostgreSQL lets a role or a database have no more connections. */
export function connectionLimitOf({ diagnostic }: MultiPoolerError): LimitedOwner | undefined {
  return diagnostic?.code === TOO_MANY_CONNECTIONS
    ? LIMITED_BY_ROUTINE.get(diagnostic.routine ?? "")
    : undefined;
}

/** Why a session ended that nobody here wanted to end. */
export function lostError(
  message: string,
  cause?: Error & { readonly diagnostic?: Diagnostic | undefined },
): MultiPoolerError {
  const { diagnostic } = cause ?? {};
  return new MultiPoolerError(PoolerErrorCode.ConnectionLost, message, { cause, diagnostic });
}

/** Whether it is certain that PostgreSQL saw nothing of the query that failed with `error`. */
export function isUnsent(error: unknown): boolean {
  if (!(error instanceof PgwireError) || error.sent) {
    return false;
  }
  return error.code === PgwireErrorCode.ConnectionLost || error.code === PgwireErrorCode.Closed;
}

/**
 * Whether PostgreSQL has ended the connection because of what it was sent, and not because somebody
 * stops the server or its process (class 57): another one would do the same.
 */
export function endsSession({ diagnostic }: PgwireError): boolean {
  return diagnostic !== undefined && !diagnostic.code.startsWith("57");
}

function refusal(error: PgwireError, diagnostic: Diagnostic | undefined): MultiPoolerError {
  // Class 08: connection; 53: resources, such as no free connection slot; 57: the server starts,
  // stops or crashed. All of them pass.
  switch (diagnostic?.code.slice(0, 2)) {
    case "28":
      return failure(PoolerErrorCode.AuthenticationFailed, "the credentials were refused", error);
    case "08":
    case "53":
    case "57":
      return unavailable(error);
    default:
      return failure(PoolerErrorCode.DatabaseError, "the database refused the connection", error);
  }
}

function unavailable(error: PgwireError): MultiPoolerError {
  const diagnostic =
    error.diagnostic ??
    errorDiagnostic("57P03", "database is temporarily unavailable; please retry");
  const { code, cause } = error;
  const timedOut = code === PgwireErrorCode.Aborted && cause instanceof Error;
  const why = timedOut ? cause.message : error.message;
  return new MultiPoolerError(
    PoolerErrorCode.PreExecutionUnavailable,
    `the database cannot be reached: ${why}`,
    { cause: error, diagnostic },
  );
}

function connectionLost(error: PgwireError): MultiPoolerError {
  const diagnostic =
    error.diagnostic ??
    errorDiagnostic("08006", "the connection to the database was lost while a statement ran", {
      detail: "Whether the statement took effect is unknown.",
    });
  // One that this package destroyed says why in its cause.
  const why = error.cause instanceof MultiPoolerError ? error.cause.message : error.message;
  return new MultiPoolerError(
    PoolerErrorCode.ConnectionLost,
    `the outcome of the statement is unknown: ${why}`,
    { cause: error, diagnostic },
  );
}

function failure(code: PoolerErrorCode, what: string, error: PgwireError): MultiPoolerError {
  return new MultiPoolerError(code, `${what}: ${error.message}`, {
    cause: error,
    diagnostic: error.diagnostic,
  });
}

export function internalError(what: string, cause: unknown): MultiPoolerError {
  return new MultiPoolerError(PoolerErrorCode.Internal, what, { cause });
}

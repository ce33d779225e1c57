import pg from "pg";
import { PoolerErrorCode } from "@multipooler/query-service";
import type { Diagnostic, PoolerError } from "@multipooler/query-service";
import { messageOf } from "../error-message.ts";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";

/** What the functions of a `DatabaseHandle` reject with; `cause` is the manager's own error. */
export class HandleError extends Error implements PoolerError {
  override readonly name = "PoolerError";
  readonly code: PoolerErrorCode;
  readonly diagnostic: Diagnostic | undefined;
  readonly reservation = undefined;

  constructor(code: PoolerErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.diagnostic = diagnosticOf(cause);
  }
}

/** The error of a statement or a credential as a controller gets it. */
export function asHandleError(error: unknown): HandleError {
  return new HandleError(
    error instanceof ManagerError ? codeOf(error.code) : PoolerErrorCode.Internal,
    messageOf(error),
    error,
  );
}

function codeOf(code: ManagerErrorCode): PoolerErrorCode {
  switch (code) {
    case ManagerErrorCode.DatabaseError:
      return PoolerErrorCode.DatabaseError;
    case ManagerErrorCode.DatabaseTimeout:
      return PoolerErrorCode.DeadlineExceeded;
    case ManagerErrorCode.Cancelled:
      return PoolerErrorCode.Cancelled;
    case ManagerErrorCode.AuthenticationFailed:
      return PoolerErrorCode.AuthenticationFailed;
    case ManagerErrorCode.DatabaseUnavailable:
    case ManagerErrorCode.LoginUnsupported:
    case ManagerErrorCode.TlsFailed:
    case ManagerErrorCode.DatabaseLeaving:
    case ManagerErrorCode.DatabaseNotFound:
    case ManagerErrorCode.NotPostgresql:
    case ManagerErrorCode.NotOpen:
      return PoolerErrorCode.PreExecutionUnavailable;
    case ManagerErrorCode.InvalidConfig:
    case ManagerErrorCode.AlreadyOpen:
    case ManagerErrorCode.InvalidArgument:
    case ManagerErrorCode.Superseded:
    case ManagerErrorCode.FailedPrecondition:
    case ManagerErrorCode.Unsupported:
    case ManagerErrorCode.TimedOut:
    case ManagerErrorCode.LockNotAcquired:
    case ManagerErrorCode.ProcessControlFailed:
    case ManagerErrorCode.ListenFailed:
    case ManagerErrorCode.RecordFileInvalid:
    case ManagerErrorCode.RegistrationRefused:
    case ManagerErrorCode.NameInUse:
    case ManagerErrorCode.SecondPrimary:
    case ManagerErrorCode.CloseFailed:
    case ManagerErrorCode.Internal:
      return PoolerErrorCode.Internal;
  }
}

/** The severities of errors, as they are in English. */
const SEVERITIES: ReadonlySet<string> = new Set(["ERROR", "FATAL", "PANIC"]);

/** PostgreSQL's own words, where they are at the root. */
function diagnosticOf(cause: unknown): Diagnostic | undefined {
  const root = cause instanceof ManagerError ? cause.cause : cause;
  if (!(root instanceof pg.DatabaseError)) {
    return undefined;
  }
  return {
    kind: "error",
    severity: severityOf(root),
    localizedSeverity: root.severity,
    code: root.code ?? "XX000",
    message: root.message,
    detail: root.detail,
    hint: root.hint,
    position: numberOf(root.position),
    internalPosition: numberOf(root.internalPosition),
    internalQuery: root.internalQuery,
    where: root.where,
    schemaName: root.schema,
    tableName: root.table,
    columnName: root.column,
    dataTypeName: root.dataType,
    constraintName: root.constraint,
    file: root.file,
    line: root.line,
    routine: root.routine,
  };
}

/** `pg` reads the severity in the language of `lc_messages` only. */
function severityOf({ severity }: pg.DatabaseError): string {
  return severity !== undefined && SEVERITIES.has(severity) ? severity : "ERROR";
}

function numberOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}

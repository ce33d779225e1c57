/**
 * Why the manager failed. Closed: callers map it with an exhaustive switch.
 *
 * | code                   | meaning                                                        | cured by |
 * | ---------------------- | -------------------------------------------------------------- | -------- |
 * | INVALID_CONFIG         | a setting is missing, malformed or out of range                | the operator |
 * | ALREADY_OPEN           | `open` was called on a manager that is open, opening or closing | the caller |
 * | NOT_OPEN               | the call needs an open manager                                 | the caller |
 * | CANCELLED              | the caller's signal aborted, or `close` interrupted `open`     | the caller |
 * | INVALID_ARGUMENT       | a call was given something that makes no sense                 | the caller |
 * | SUPERSEDED             | something else was asked for before what is waited for was there | the caller |
 * | FAILED_PRECONDITION    | role, term or physical state do not allow what was asked for   | the caller |
 * | UNSUPPORTED            | this database or this set-up cannot do it                      | the operator |
 * | TIMED_OUT              | what was waited for did not come about in time                 | a retry  |
 * | LOCK_NOT_ACQUIRED      | another action held the action lock for too long               | a retry  |
 * | PROCESS_CONTROL_FAILED | what controls PostgreSQL's process cannot be reached, or failed | a retry |
 * | LISTEN_FAILED          | a transport cannot accept clients, e.g. its port is in use     | the operator |
 * | RECORD_FILE_INVALID    | the local copy of the record cannot be read, parsed or written | the operator |
 * | REGISTRATION_REFUSED   | the topology holds this pooler for another database or shard   | the operator |
 * | NAME_IN_USE            | another process runs under this cell and service id            | the operator |
 * | SECOND_PRIMARY         | the shard has a primary on another server                      | the operator |
 * | DATABASE_UNAVAILABLE   | the database refuses, drops or never answers a connection      | a retry  |
 * | TLS_FAILED             | the connection could not be encrypted as it is to be: no TLS, or a certificate that is refused | it depends |
 * | DATABASE_LEAVING       | the server goes away, or the address means another one: let go of it | a retry |
 * | DATABASE_TIMEOUT       | a statement did not end within its limit                       | a retry  |
 * | DATABASE_ERROR         | the database answered a statement with an error; `sqlState` is set | it depends |
 * | AUTHENTICATION_FAILED  | the database refuses the credentials (SQLSTATE class 28)       | the operator |
 * | LOGIN_UNSUPPORTED      | the database asks for a login method that is not spoken        | the operator |
 * | DATABASE_NOT_FOUND     | the server has no database of that name (SQLSTATE 3D000)       | the operator |
 * | NOT_POSTGRESQL         | what answers at the address does not speak PostgreSQL's protocol | the operator |
 * | CLOSE_FAILED           | something could not be closed; `cause` is an AggregateError    | nobody: report it |
 * | INTERNAL               | a fault of the manager itself                                  | nobody: report it |
 */
export const ManagerErrorCode = {
  InvalidConfig: "INVALID_CONFIG",
  AlreadyOpen: "ALREADY_OPEN",
  NotOpen: "NOT_OPEN",
  Cancelled: "CANCELLED",
  InvalidArgument: "INVALID_ARGUMENT",
  Superseded: "SUPERSEDED",
  FailedPrecondition: "FAILED_PRECONDITION",
  Unsupported: "UNSUPPORTED",
  TimedOut: "TIMED_OUT",
  LockNotAcquired: "LOCK_NOT_ACQUIRED",
  ProcessControlFailed: "PROCESS_CONTROL_FAILED",
  ListenFailed: "LISTEN_FAILED",
  RecordFileInvalid: "RECORD_FILE_INVALID",
  RegistrationRefused: "REGISTRATION_REFUSED",
  NameInUse: "NAME_IN_USE",
  SecondPrimary: "SECOND_PRIMARY",
  DatabaseUnavailable: "DATABASE_UNAVAILABLE",
  TlsFailed: "TLS_FAILED",
  DatabaseLeaving: "DATABASE_LEAVING",
  DatabaseTimeout: "DATABASE_TIMEOUT",
  DatabaseError: "DATABASE_ERROR",
  AuthenticationFailed: "AUTHENTICATION_FAILED",
  LoginUnsupported: "LOGIN_UNSUPPORTED",
  DatabaseNotFound: "DATABASE_NOT_FOUND",
  NotPostgresql: "NOT_POSTGRESQL",
  CloseFailed: "CLOSE_FAILED",
  Internal: "INTERNAL",
} as const;
export type ManagerErrorCode = (typeof ManagerErrorCode)[keyof typeof ManagerErrorCode];

/** What goes with a {@link ManagerError}. */
export interface ManagerErrorDetails {
  readonly cause?: unknown;
  /** The SQLSTATE, where PostgreSQL sent one. */
  readonly sqlState?: string | undefined;
  /** With INVALID_CONFIG: the path of the option, e.g. "database.user". */
  readonly setting?: string | undefined;
}

/** The error that this package throws. Its message is one line for people. */
export class ManagerError extends Error {
  override readonly name = "ManagerError";
  readonly code: ManagerErrorCode;
  readonly sqlState: string | undefined;
  readonly setting: string | undefined;

  constructor(code: ManagerErrorCode, message: string, details: ManagerErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.sqlState = details.sqlState;
    this.setting = details.setting;
  }
}

/** An error as it is, or INTERNAL with a message for what is none of ours. */
export function asManagerError(error: unknown, message: string): ManagerError {
  return error instanceof ManagerError
    ? error
    : new ManagerError(ManagerErrorCode.Internal, message, { cause: error });
}

/** Whether no retry cures a failed check of the database: the operator must change something. */
export function isPermanent(error: ManagerError): boolean {
  switch (error.code) {
    case ManagerErrorCode.AuthenticationFailed:
    case ManagerErrorCode.DatabaseNotFound:
    case ManagerErrorCode.NotPostgresql:
      return true;
    case ManagerErrorCode.InvalidConfig:
    case ManagerErrorCode.AlreadyOpen:
    case ManagerErrorCode.NotOpen:
    case ManagerErrorCode.Cancelled:
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
    case ManagerErrorCode.DatabaseUnavailable:
    case ManagerErrorCode.LoginUnsupported:
    case ManagerErrorCode.TlsFailed:
    case ManagerErrorCode.DatabaseLeaving:
    case ManagerErrorCode.DatabaseTimeout:
    case ManagerErrorCode.DatabaseError:
    case ManagerErrorCode.CloseFailed:
    case ManagerErrorCode.Internal:
      return false;
  }
}

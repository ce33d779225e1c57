/**
 * Why a call failed. Closed: callers map it with an exhaustive switch.
 *
 * | code                    | meaning                                                              |
 * | ----------------------- | -------------------------------------------------------------------- |
 * | INVALID_ARGUMENT        | an option or argument is missing, malformed or out of range          |
 * | INSTALLATION_NOT_FOUND  | there is no PostgreSQL where it was looked for, or it cannot be run  |
 * | NOT_PERMITTED           | the user that PostgreSQL is to run as is missing or cannot reach its files |
 * | DIRECTORY_UNUSABLE      | the data directory cannot be read, is no data directory, or belongs to root |
 * | WRONG_VERSION           | another major version of PostgreSQL made the data directory          |
 * | NOT_INITIALIZED         | the data directory is absent or empty                                |
 * | INITDB_FAILED           | `initdb` failed; the message has its words                           |
 * | ALREADY_RUNNING         | a server that was started by something else works on the data directory |
 * | PORT_IN_USE             | another program listens on the port                                  |
 * | START_FAILED            | the server ended before it was ready; the message has the words of its log |
 * | START_TIMEOUT           | the server was not ready in time; it goes on starting                |
 * | STOP_TIMEOUT            | the server did not end in time; it goes on shutting down             |
 * | NOT_RUNNING             | the call needs a server that runs                                    |
 * | STILL_RUNNING           | the call needs a server that does not run                            |
 * | CONFIGURATION_REJECTED  | the server found errors in its configuration; the message has its words |
 * | PROMOTION_FAILED        | the server ended, or was no primary in time                          |
 * | RECOVERY_FAILED         | crash recovery in single-user mode failed; the message has its words |
 * | REWIND_UNAVAILABLE      | the installation has no `pg_rewind`                                  |
 * | REWIND_FAILED           | `pg_rewind` failed; the message has its words                        |
 * | BUSY                    | another process works on the same data directory right now           |
 * | CANCELLED               | the caller's signal aborted; `cause` is its reason                   |
 * | LISTEN_FAILED           | the address of the daemon cannot be listened on                      |
 * | DAEMON_UNAVAILABLE      | the daemon cannot be reached, or the connection was lost             |
 * | DAEMON_FAILED           | the daemon answered what the contract does not know                  |
 * | IO_FAILED               | a file could not be read or written, e.g. because the disk is full   |
 */
export const PgctldErrorCode = {
  InvalidArgument: "INVALID_ARGUMENT",
  InstallationNotFound: "INSTALLATION_NOT_FOUND",
  NotPermitted: "NOT_PERMITTED",
  DirectoryUnusable: "DIRECTORY_UNUSABLE",
  WrongVersion: "WRONG_VERSION",
  NotInitialized: "NOT_INITIALIZED",
  InitdbFailed: "INITDB_FAILED",
  AlreadyRunning: "ALREADY_RUNNING",
  PortInUse: "PORT_IN_USE",
  StartFailed: "START_FAILED",
  StartTimeout: "START_TIMEOUT",
  StopTimeout: "STOP_TIMEOUT",
  NotRunning: "NOT_RUNNING",
  StillRunning: "STILL_RUNNING",
  ConfigurationRejected: "CONFIGURATION_REJECTED",
  PromotionFailed: "PROMOTION_FAILED",
  RecoveryFailed: "RECOVERY_FAILED",
  RewindUnavailable: "REWIND_UNAVAILABLE",
  RewindFailed: "REWIND_FAILED",
  Busy: "BUSY",
  Cancelled: "CANCELLED",
  ListenFailed: "LISTEN_FAILED",
  DaemonUnavailable: "DAEMON_UNAVAILABLE",
  DaemonFailed: "DAEMON_FAILED",
  IoFailed: "IO_FAILED",
} as const;
export type PgctldErrorCode = (typeof PgctldErrorCode)[keyof typeof PgctldErrorCode];

/** The error of this package. Its message is one line wherever PostgreSQL's own words are. */
export class PgctldError extends Error {
  override readonly name = "PgctldError";
  readonly code: PgctldErrorCode;

  constructor(code: PgctldErrorCode, message: string, options: { readonly cause?: unknown } = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
  }
}

/** An option or argument is not as it has to be. */
export function invalidArgument(problem: string): PgctldError {
  return new PgctldError(PgctldErrorCode.InvalidArgument, problem);
}

/** A file could not be read or written while `doing` something. */
export function ioFailed(doing: string, cause: unknown): PgctldError {
  return new PgctldError(PgctldErrorCode.IoFailed, `${doing}: ${messageOf(cause)}`, { cause });
}

/** @throws CANCELLED when the signal has aborted; `doing` says what was given up */
export function throwIfAborted(signal: AbortSignal | undefined, doing: string): void {
  if (signal?.aborted === true) {
    throw new PgctldError(PgctldErrorCode.Cancelled, `${doing} was cancelled`, {
      cause: signal.reason,
    });
  }
}

/** True when `error` is a system error with this `code`, such as `ENOENT`. */
export function hasErrno(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

/** What an error says, on one line. */
export function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replaceAll(/\s*\n\s*/g, " ");
}

/** What went wrong, for callers to switch on. */
export type EmbeddedPostgresErrorCode =
  /** No PostgreSQL build exists for this operating system and processor, or it is not installed. */
  | "unsupported-platform"
  /** Root has no unprivileged user to run PostgreSQL as, or that user cannot reach the files. */
  | "not-permitted"
  /** The data directory is unreadable, has the wrong owner, or is not a data directory. */
  | "data-directory-unusable"
  /** The data directory was made by another major version of PostgreSQL. */
  | "wrong-version"
  /** `initdb` failed; the message carries its output. */
  | "initdb-failed"
  /** A live server already works on this data directory. */
  | "already-running"
  /** Another program listens on the wanted port. */
  | "port-in-use"
  /** The server ended before it was ready; the message carries its last log lines. */
  | "start-failed"
  /** The server was not ready within the deadline. */
  | "start-timeout"
  /** The call needs a running server and there is none. */
  | "not-running";

/** The one error class of this package. The message is one line wherever PostgreSQL's own is. */
export class EmbeddedPostgresError extends Error {
  override readonly name = "EmbeddedPostgresError";
  /** Stable reason; never match on the message. */
  readonly code: EmbeddedPostgresErrorCode;

  constructor(code: EmbeddedPostgresErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** True when `error` is a system error with this `code`, such as `ENOENT`. */
export function hasErrno(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

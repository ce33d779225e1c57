/** What went wrong, for callers to switch on. */
export type EmbeddedEtcdErrorCode =
  /** There is no etcd on this machine. */
  | "not-installed"
  /** Another program took the port. */
  | "port-in-use"
  /** The server ended before it was ready; the message carries its last lines. */
  | "start-failed"
  /** The server was not ready within the deadline. */
  | "start-timeout"
  /** The server is running already. */
  | "already-running"
  /** The server refused a request; the message carries its answer. */
  | "request-failed";

/** The one error class of this package. */
export class EmbeddedEtcdError extends Error {
  override readonly name = "EmbeddedEtcdError";
  /** Stable reason; never match on the message. */
  readonly code: EmbeddedEtcdErrorCode;

  constructor(code: EmbeddedEtcdErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** What to do on a machine without etcd, in one line. */
export const NOT_INSTALLED =
  "etcd is not installed: run `apt-get install etcd-server`, or set MULTIPOOLER_SKIP_ETCD=1 to leave out the tests that need it";

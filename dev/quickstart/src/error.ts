/** Why `npm start` cannot go on, for callers to switch on. */
export type QuickstartErrorCode =
  /** An option is unknown or has a value that makes no sense. */
  | "bad-option"
  /** Another program listens on a port that is needed. */
  | "port-in-use"
  /** The data directory exists and the file with its password does not. */
  | "password-lost"
  /** The pooler ended before it was ready. */
  | "pooler-ended"
  /** The pooler was not ready within the deadline. */
  | "not-ready";

/** The one error class of this package; the message is one line for people. */
export class QuickstartError extends Error {
  override readonly name = "QuickstartError";
  /** Stable reason; never match on the message. */
  readonly code: QuickstartErrorCode;

  constructor(code: QuickstartErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

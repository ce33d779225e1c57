import { MalformedMessageError } from "@multipooler/query-service";
import type { Diagnostic } from "@multipooler/query-service";

/**
 * Why a connection or a request failed. Closed: callers switch on it.
 *
 * | code                  | meaning                                                               |
 * | --------------------- | --------------------------------------------------------------------- |
 * | POSTGRES              | the server answered with an error; `diagnostic` is always set         |
 * | CONNECT_FAILED        | no socket could be opened, or the credential not be looked up; `cause` says why |
 * | TLS_FAILED            | the connection could not be encrypted as it was to be; `cause` is a `TlsError` or what TLS said |
 * | CONNECTION_LOST       | the connection ended before the answer was complete; `diagnostic` is set if the server said why |
 * | CLOSED                | the request came after `close()`                                      |
 * | AUTHENTICATION_FAILED | this side cannot authenticate, or the server failed to prove itself   |
 * | UNSUPPORTED           | the server asks for something this package does not do: an authentication method, COPY |
 * | PROTOCOL_VIOLATION    | the peer does not speak PostgreSQL's protocol, or breaks a bound of it |
 * | INVALID_ARGUMENT      | what the caller passed cannot be sent                                  |
 * | ABORTED               | the caller's signal aborted; `cause` is its reason                     |
 */
export const PgwireErrorCode = {
  Postgres: "POSTGRES",
  ConnectFailed: "CONNECT_FAILED",
  TlsFailed: "TLS_FAILED",
  ConnectionLost: "CONNECTION_LOST",
  Closed: "CLOSED",
  AuthenticationFailed: "AUTHENTICATION_FAILED",
  Unsupported: "UNSUPPORTED",
  ProtocolViolation: "PROTOCOL_VIOLATION",
  InvalidArgument: "INVALID_ARGUMENT",
  Aborted: "ABORTED",
} as const;
export type PgwireErrorCode = (typeof PgwireErrorCode)[keyof typeof PgwireErrorCode];

export interface PgwireErrorOptions {
  readonly cause?: unknown;
  readonly diagnostic?: Diagnostic | undefined;
  readonly sent?: boolean | undefined;
}

/** The error of this package. What a receiver fails with is passed on as it is. */
export class PgwireError extends Error {
  override readonly name = "PgwireError";
  readonly code: PgwireErrorCode;
  /** The error of the server, if it sent one; of a client that is served, what it is to be sent. */
  readonly diagnostic: Diagnostic | undefined;
  /**
   * Of the error of a request: whether it may have reached the server. `false` is certain, so the
   * request can be repeated elsewhere. Always `false` for an error of `connect` and `cancel`.
   */
  readonly sent: boolean;

  constructor(code: PgwireErrorCode, message: string, options: PgwireErrorOptions = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.diagnostic = options.diagnostic;
    this.sent = options.sent ?? false;
  }
}

/** The peer sent what protocol 3 does not allow. The connection cannot be used any further. */
export function protocolViolation(problem: string): PgwireError {
  return new PgwireError(PgwireErrorCode.ProtocolViolation, `protocol violation: ${problem}`);
}

/** The server answered with an error. */
export function postgresError(diagnostic: Diagnostic, { sent }: { sent: boolean }): PgwireError {
  return new PgwireError(PgwireErrorCode.Postgres, diagnostic.message, { diagnostic, sent });
}

/** The caller's signal aborted. */
export function abortedError(what: string, signal: AbortSignal): PgwireError {
  return new PgwireError(PgwireErrorCode.Aborted, `${what} was aborted`, { cause: signal.reason });
}

/**
 * Any failure of reading a server as an error of this package. The one place where a message that
 * cannot be decoded becomes a PROTOCOL_VIOLATION.
 */
export function pgwireError(error: unknown): PgwireError {
  if (error instanceof PgwireError) {
    return error;
  }
  if (error instanceof MalformedMessageError) {
    return new PgwireError(
      PgwireErrorCode.ProtocolViolation,
      `protocol violation: ${error.message}`,
      { cause: error },
    );
  }
  return new PgwireError(
    PgwireErrorCode.ProtocolViolation,
    "the answer of the server could not be processed",
    { cause: error },
  );
}

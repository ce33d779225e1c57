/**
 * Why this package failed. Closed: callers switch on it.
 *
 * | code              | meaning                                                           |
 * | ----------------- | ----------------------------------------------------------------- |
 * | LISTEN_FAILED     | the server cannot accept clients, e.g. because its port is in use |
 * | ALREADY_LISTENING | `listen` was called on a server that listens or is about to       |
 * | CANCELLED         | the caller's signal aborted, or `close` interrupted `listen`      |
 * | INVALID_ARGUMENT  | an option says something that means nothing                       |
 * | TLS_FILES_INVALID | the certificate or its key cannot be used                         |
 */
export const PgwireServicesErrorCode = {
  ListenFailed: "LISTEN_FAILED",
  AlreadyListening: "ALREADY_LISTENING",
  Cancelled: "CANCELLED",
  InvalidArgument: "INVALID_ARGUMENT",
  TlsFilesInvalid: "TLS_FILES_INVALID",
} as const;
export type PgwireServicesErrorCode =
  (typeof PgwireServicesErrorCode)[keyof typeof PgwireServicesErrorCode];

/** The error that this package throws. Its message is one line for people. */
export class PgwireServicesError extends Error {
  override readonly name = "PgwireServicesError";
  readonly code: PgwireServicesErrorCode;

  constructor(code: PgwireServicesErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

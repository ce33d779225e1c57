/**
 * Why this package failed or refused. Closed: callers map it with an exhaustive switch.
 *
 * | code              | meaning                                                             |
 * | ----------------- | ------------------------------------------------------------------- |
 * | LISTEN_FAILED     | the server cannot accept clients, e.g. because its port is in use   |
 * | ALREADY_LISTENING | `listen` was called on a server that listens or is about to         |
 * | CANCELLED         | the caller's signal aborted, or `close` interrupted `listen`        |
 * | INVALID_ARGUMENT  | a request or an option says something that means nothing            |
 * | TLS_FILES_INVALID | the server's certificate, its key or the authorities of clients cannot be used |
 * | MISSING_ARGUMENT  | a request does not name what it is about                            |
 * | NOT_FOUND         | a request names something that does not exist                       |
 * | UNAVAILABLE       | what a call needs cannot be had now; nothing was done               |
 * | LOOKUP_FAILED     | the database refused a question that a call depends on              |
 * | UNIMPLEMENTED     | a request asks for what this version does not offer                 |
 * | MALFORMED_REQUEST | the bytes of a request are not a message of its type                |
 * | MESSAGE_TOO_LARGE | an answer does not fit into one message                             |
 * | REQUEST_TOO_LARGE | a message of a client is larger than one may be                     |
 * | ABORTED           | the client had what it asked for fail                               |
 * | INCOMPLETE_REQUEST | a client ended its stream before it had said everything            |
 * | RECEIVE_TIMEOUT   | a client was too slow to send its request                           |
 * | SUBSCRIBER_BEHIND | the reader of a stream does not keep up with it                     |
 * | RECEIVING_TOO_MUCH | too many requests arrive at once                                   |
 * | TOKENS_INVALID    | the file of the manager service's tokens cannot be used             |
 * | SETTINGS_REFUSED  | the settings cannot be used, and were not applied                   |
 * | MALFORMED_ROWS    | the controller handed out bytes that are not rows of the result     |
 */
export const GrpcServicesErrorCode = {
  ListenFailed: "LISTEN_FAILED",
  AlreadyListening: "ALREADY_LISTENING",
  Cancelled: "CANCELLED",
  InvalidArgument: "INVALID_ARGUMENT",
  TlsFilesInvalid: "TLS_FILES_INVALID",
  MissingArgument: "MISSING_ARGUMENT",
  NotFound: "NOT_FOUND",
  Unavailable: "UNAVAILABLE",
  LookupFailed: "LOOKUP_FAILED",
  Unimplemented: "UNIMPLEMENTED",
  MalformedRequest: "MALFORMED_REQUEST",
  MessageTooLarge: "MESSAGE_TOO_LARGE",
  RequestTooLarge: "REQUEST_TOO_LARGE",
  Aborted: "ABORTED",
  IncompleteRequest: "INCOMPLETE_REQUEST",
  ReceiveTimeout: "RECEIVE_TIMEOUT",
  SubscriberBehind: "SUBSCRIBER_BEHIND",
  ReceivingTooMuch: "RECEIVING_TOO_MUCH",
  TokensInvalid: "TOKENS_INVALID",
  SettingsRefused: "SETTINGS_REFUSED",
  MalformedRows: "MALFORMED_ROWS",
} as const;
export type GrpcServicesErrorCode =
  (typeof GrpcServicesErrorCode)[keyof typeof GrpcServicesErrorCode];

/** The error that this package throws. Its message is one line for people. */
export class GrpcServicesError extends Error {
  override readonly name = "GrpcServicesError";
  readonly code: GrpcServicesErrorCode;

  constructor(code: GrpcServicesErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

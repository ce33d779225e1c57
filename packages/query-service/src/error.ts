import type { Diagnostic } from "./diagnostic.ts";
import type { Reservation } from "./reservation.ts";

/**
 * Why an executor failed or refused. Closed: transports map it with an exhaustive switch.
 *
 * | code                      | meaning                                                         | retry |
 * | ------------------------- | --------------------------------------------------------------- | ----- |
 * | NOT_INITIALIZED           | the controller has no database yet                              | later |
 * | NOT_OPEN                  | the controller did not open, failed to, or was closed           | later |
 * | NOT_SERVING               | the serving status or the role does not admit the request       | yes   |
 * | WRONG_TARGET              | the request names another table group or shard                  | no    |
 * | INVALID_ARGUMENT          | the request itself is wrong                                     | no    |
 * | UNIMPLEMENTED             | this executor does not offer what the request asks for          | no    |
 * | READ_ONLY                 | the statement would write, or end read-only mode (SQLSTATE 25006) | no  |
 * | RESERVATION_LOST          | the reserved connection is unknown, expired or someone else's   | from the start |
 * | POOL_EXHAUSTED            | no connection came free within the wait limit                   | yes   |
 * | PRE_EXECUTION_UNAVAILABLE | the database could not be reached; no SQL of this request was sent | yes |
 * | AUTHENTICATION_FAILED     | the database refused the credentials (SQLSTATE class 28)        | no    |
 * | CONNECTION_LOST           | the outcome is unknown: the connection broke while a statement ran, or nobody confirmed a COMMIT | no |
 * | DATABASE_ERROR            | the database answered with an error; `diagnostic` is always set | no    |
 * | SUBSCRIBER_BEHIND         | a receiver of notifications took less than came; some are missing from now on | subscribe again |
 * | CANCELLED                 | the caller's signal aborted                                     | no    |
 * | DEADLINE_EXCEEDED         | the caller's deadline passed                                    | no    |
 * | INTERNAL                  | a fault of the executor itself                                  | no    |
 */
export const PoolerErrorCode = {
  NotInitialized: "NOT_INITIALIZED",
  NotOpen: "NOT_OPEN",
  NotServing: "NOT_SERVING",
  WrongTarget: "WRONG_TARGET",
  InvalidArgument: "INVALID_ARGUMENT",
  Unimplemented: "UNIMPLEMENTED",
  ReadOnly: "READ_ONLY",
  ReservationLost: "RESERVATION_LOST",
  PoolExhausted: "POOL_EXHAUSTED",
  PreExecutionUnavailable: "PRE_EXECUTION_UNAVAILABLE",
  AuthenticationFailed: "AUTHENTICATION_FAILED",
  ConnectionLost: "CONNECTION_LOST",
  DatabaseError: "DATABASE_ERROR",
  SubscriberBehind: "SUBSCRIBER_BEHIND",
  Cancelled: "CANCELLED",
  DeadlineExceeded: "DEADLINE_EXCEEDED",
  Internal: "INTERNAL",
} as const;
export type PoolerErrorCode = (typeof PoolerErrorCode)[keyof typeof PoolerErrorCode];

/**
 * The error that every member of a controller and of its {@link QueryService} throws or rejects
 * with. An implementation has a class of its own that satisfies this shape; callers recognise it
 * by `name` and switch on `code`, never on the message.
 */
export interface PoolerError extends Error {
  readonly name: "PoolerError";
  readonly code: PoolerErrorCode;
  /** The error in PostgreSQL's form, where the database said it or the client is to see one. */
  readonly diagnostic: Diagnostic | undefined;
  /**
   * The reservation that the request leaves behind although it failed. `undefined`: the caller
   * holds none, also if it held one before.
   */
  readonly reservation: Reservation | undefined;
}

import type { CopyRequest, CopySink, CopySource } from "./copy.ts";
import type { LoginCredentials, LoginRequest } from "./login.ts";
import type { NotificationSink, Subscription } from "./notification.ts";
import type {
  CallOptions,
  ConcludeRequest,
  DescribeRequest,
  ExecuteRequest,
  ReleaseRequest,
  ReservationRequest,
  StatementDescription,
} from "./request.ts";
import type { Outcome } from "./reservation.ts";
import type { ResultSink } from "./result.ts";
import type { Session, SessionCaller, SessionClient } from "./session.ts";

/**
 * Serves queries. Safe for any number of concurrent calls; each is admitted by the serving status
 * at its start, and keeps that admission until it ends.
 *
 * Calls are for transports that carry one request at a time, such as gRPC. Sessions are for
 * transports that carry PostgreSQL's own protocol. Both run on the same backends.
 */
export interface QueryService {
  /**
   * Runs `request.statement` and writes what it yields to `sink`. Resolves when the database is
   * ready for the next one and every event was written. Rejects with a `PoolerError`: what the
   * database sent before an error has reached the sink by then.
   *
   * An executor refuses with UNIMPLEMENTED, naming the part, what it does not offer.
   */
  streamExecute(request: ExecuteRequest, sink: ResultSink, options?: CallOptions): Promise<Outcome>;

  /**
   * Parameters and columns of a statement, which is not run. Rejects with a `PoolerError`:
   * PRE_EXECUTION_UNAVAILABLE also where the connection broke on the way, since nothing was changed.
   */
  describe(request: DescribeRequest, options?: CallOptions): Promise<StatementDescription>;

  /**
   * Runs a COPY whose data come from the caller. Calls `source` once the database takes data, and
   * resolves when the database has taken them and every event was written.
   *
   * Rejects with a `PoolerError`: INVALID_ARGUMENT for anything but one COPY from the client, before
   * anything is run; DATABASE_ERROR where the database refuses the data, or where the source has it
   * fail; CANCELLED when the source or the sink fails. The database keeps nothing of such a COPY. An
   * executor that has no COPY refuses with UNIMPLEMENTED.
   */
  copyIn(
    request: CopyRequest,
    source: CopySource,
    sink: CopySink,
    options?: CallOptions,
  ): Promise<Outcome>;

  /** Runs a COPY whose data go to `sink`, as `copyIn` does. */
  copyOut(request: CopyRequest, sink: CopySink, options?: CallOptions): Promise<Outcome>;

  /**
   * Ends the transaction of a reservation: COMMIT or ROLLBACK. What that yields goes to `sink`: the
   * tag, which is ROLLBACK also for the COMMIT of a failed transaction, and notices.
   *
   * Rejects with RESERVATION_LOST for an id that is not known; with INVALID_ARGUMENT where a COMMIT
   * or a chain finds no transaction; with CONNECTION_LOST where nobody knows whether the transaction
   * was committed, or whether any standby has it.
   */
  concludeTransaction(
    request: ConcludeRequest,
    sink: ResultSink,
    options?: CallOptions,
  ): Promise<Outcome>;

  /**
   * Drops the temporary tables of a reservation, which are no reason for it any more. A failure ends
   * the reservation.
   */
  discardTempTables(
    request: ReservationRequest,
    sink: ResultSink,
    options?: CallOptions,
  ): Promise<Outcome>;

  /**
   * Gives up a reservation: cancels what runs in it, rolls back, and gives the backend back. An id
   * that is not known is no error. Goes on to its end although the signal aborts.
   */
  releaseReservation(request: ReleaseRequest, options?: CallOptions): Promise<Outcome>;

  /**
   * Opens a session for a client that has authenticated. The signal bounds the opening only.
   * Rejects with NOT_SERVING, INVALID_ARGUMENT for a caller it cannot serve, or UNIMPLEMENTED by an
   * executor that does not speak PostgreSQL's protocol; such a controller does not offer `session`.
   */
  openSession(
    caller: SessionCaller,
    client: SessionClient,
    options?: CallOptions,
  ): Promise<Session>;

  /**
   * Looks up what a transport checks the password of a role with, as the database has it now;
   * `undefined` for a role that does not exist. It is admitted as a request that begins a
   * reservation is, on any role of the pooler.
   *
   * Rejects with AUTHENTICATION_FAILED for a role that may not log in, or whose password has
   * expired: the diagnostic is what PostgreSQL itself would send. With PRE_EXECUTION_UNAVAILABLE
   * when the database cannot be asked, DATABASE_ERROR when it refuses the question, or UNIMPLEMENTED.
   */
  getCredentials(
    request: LoginRequest,
    options?: CallOptions,
  ): Promise<LoginCredentials | undefined>;

  /**
   * Listens to channels of the database, those that the returned subscription names; any number of
   * subscriptions share what that takes. Only the primary listens. It ends by itself when the pooler
   * stops serving as that, or when something may have been missed.
   *
   * @throws a `PoolerError`: NOT_SERVING, or UNIMPLEMENTED by an executor without notifications.
   */
  subscribe(sink: NotificationSink): Subscription;
}

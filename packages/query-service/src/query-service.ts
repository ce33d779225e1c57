import type { LoginCredentials, LoginRequest } from "./login.ts";
import type { CallOptions, ExecuteRequest } from "./request.ts";
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
}

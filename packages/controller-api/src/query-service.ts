import type { ResultSink } from "./result.ts";

/**
 * How fresh and how writable the database must be.
 * WRITABLE and CONSISTENT need the primary; INCONSISTENT and UNSPECIFIED take any.
 */
export const QueryMode = {
  Unspecified: "UNSPECIFIED",
  Writable: "WRITABLE",
  Consistent: "CONSISTENT",
  Inconsistent: "INCONSISTENT",
} as const;
export type QueryMode = (typeof QueryMode)[keyof typeof QueryMode];

/**
 * Whom the caller believes to address. An empty table group or shard matches any; a different one
 * is refused with WRONG_TARGET. An empty database matches any.
 */
export interface QueryTarget {
  readonly database: string;
  readonly tableGroup: string;
  readonly shard: string;
  readonly mode: QueryMode;
}

export interface StreamExecuteRequest {
  /** One query string of the simple protocol; it may hold several statements. */
  readonly sql: string;
  readonly target: QueryTarget | undefined;
  /**
   * The role to run as; empty means the role that the pooler was configured with. A controller that
   * cannot run as the role refuses with UNIMPLEMENTED.
   */
  readonly user: string;
  /** An existing reservation to run on; 0n for none. An unknown one yields RESERVATION_LOST. */
  readonly reservedConnectionId: bigint;
}

export interface CallOptions {
  /**
   * Aborts the call. What runs in the database is cancelled there. A reason that is a
   * `TimeoutError` yields DEADLINE_EXCEEDED, every other reason CANCELLED.
   */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Serves queries. Safe for any number of concurrent calls; each is admitted by the serving status
 * at its start, and keeps that admission until it ends.
 */
export interface QueryService {
  /**
   * Runs `request.sql` and writes what it yields to `sink`. Resolves when the database is ready
   * for the next query and everything was written. Rejects with a {@link PoolerError}: what the
   * database sent before an error has reached the sink by then.
   */
  streamExecute(
    request: StreamExecuteRequest,
    sink: ResultSink,
    options?: CallOptions,
  ): Promise<void>;
}

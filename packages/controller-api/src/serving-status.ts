/**
 * What a pooler admits. The manager decides it, the controller enforces it inside `QueryService`,
 * so that no transport can bypass it.
 *
 * | status                 | new reads | new writes | new reservations | in a reservation | health says       |
 * | ---------------------- | --------- | ---------- | ---------------- | ---------------- | ----------------- |
 * | SERVING                | yes       | yes        | yes              | yes              | serving           |
 * | SERVING_RDONLY         | yes       | refused    | read-only ones   | yes, read-only   | serving (replica) |
 * | DRAINED, reserved left | yes       | as before  | refused          | yes              | not serving       |
 * | DRAINED, anything left | refused   | refused    | refused          | yes, for a grace | not serving       |
 * | NOT_SERVING            | refused   | refused    | refused          | yes, for a grace | not serving       |
 *
 * Leaving SERVING or SERVING_RDONLY always drains first, in the two stages of DRAINED and under one
 * deadline: first until no reservation is left, then until nothing runs. COMMIT and ROLLBACK of a
 * transaction that is open are never refused. When the grace ends, what is reserved is ended with
 * SQLSTATE 40001. A controller that is DRAINED keeps no idle connection.
 */
export const ServingStatus = {
  Serving: "SERVING",
  ServingReadOnly: "SERVING_RDONLY",
  Drained: "DRAINED",
  NotServing: "NOT_SERVING",
} as const;
export type ServingStatus = (typeof ServingStatus)[keyof typeof ServingStatus];

/**
 * The role that queries are routed by. Derived, never stored: PRIMARY means that the database is
 * out of recovery, that the topology names this pooler the primary and that no higher term is known.
 */
export const PoolerRole = {
  Primary: "PRIMARY",
  Replica: "REPLICA",
} as const;
export type PoolerRole = (typeof PoolerRole)[keyof typeof PoolerRole];

/** The rule that justifies a PRIMARY role; the higher pair wins, compared left to right. */
export interface RoutingTerm {
  readonly coordinatorTerm: bigint;
  readonly leaderSubterm: bigint;
}

/** Where the manager wants the controller to be, and why. */
export interface ServingTarget {
  readonly status: ServingStatus;
  readonly role: PoolerRole;
  /**
   * Goes into health and record as it is. Absent where an operator names the primary, as with
   * `MultiPoolerManager`: only a coordinator that elects one has terms.
   */
  readonly term?: RoutingTerm | undefined;
  /**
   * True where the database is a standby, which refuses writes by itself. Absent counts as false: the
   * controller then refuses what could switch its read-only mode off.
   */
  readonly inRecovery?: boolean | undefined;
  /** One clause for logs and status pages, e.g. "PostgreSQL does not answer". */
  readonly reason: string;
}

/** The current target and, while a transition runs, the one it leads to. */
export interface ServingState {
  readonly current: ServingTarget;
  readonly wanted: ServingTarget | undefined;
  /** Absent where a controller does not count them. */
  readonly drains?: DrainTotals | undefined;
}

/** What became of the drains of a controller since it was built. Each is counted once. */
export interface DrainTotals {
  /** Everything that ran had ended by itself. */
  readonly completed: number;
  /** The grace was over first: what still ran was ended. */
  readonly cut: number;
  /** What was being left was asked for again. */
  readonly reversed: number;
  /** The call was aborted, or the controller closed. */
  readonly aborted: number;
  /** The requests and reservations that were ended at the end of a grace. */
  readonly cutRequests: number;
  readonly longestMs: number;
  /** The time of all of them together. */
  readonly totalMs: number;
}

/**
 * What a pooler admits. The manager decides it, the controller enforces it inside
 * {@link QueryService}, so that no transport can bypass it.
 *
 * | status         | new reads      | new writes | new transactions | health says        |
 * | -------------- | -------------- | ---------- | ---------------- | ------------------ |
 * | SERVING        | yes            | yes        | yes              | serving            |
 * | SERVING_RDONLY | yes            | refused    | read-only ones   | serving (replica)  |
 * | DRAINED        | until drained  | as before  | refused          | not serving        |
 * | NOT_SERVING    | refused        | refused    | refused          | not serving        |
 *
 * Leaving SERVING or SERVING_RDONLY drains first: new transactions and reservations are refused
 * until none is left, then everything new is refused until nothing runs, both under one deadline.
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
 * out of recovery, that the topology names this pooler the primary and that its term stands.
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
  readonly term?: RoutingTerm | undefined;
  /** One clause for logs and status pages, e.g. "PostgreSQL does not answer". */
  readonly reason: string;
}

/** The target in force and, while a transition runs, the one it leads to. */
export interface ServingState {
  readonly current: ServingTarget;
  readonly wanted: ServingTarget | undefined;
}

import type { PoolerRole } from "@multipooler/controller-api";

/** Why a login got no credentials. */
export type CredentialProblem =
  | "user_not_found"
  | "login_disabled"
  | "password_expired"
  | "pool_acquire_failed"
  | "db_error";

/** What a transaction of a reservation came to; "abort": it was given up with its reservation. */
export type TransactionOutcome = "commit" | "rollback" | "abort";

/**
 * What seldom happens in a pooler, for metrics. Durations in milliseconds.
 *
 * | type                 | when                                                                    |
 * | -------------------- | ----------------------------------------------------------------------- |
 * | connectionOpened     | a connection to PostgreSQL is there                                     |
 * | connectionFailed     | one could not be opened                                                 |
 * | drained              | a serving status was left; `cut`: what was cut at the end of the grace  |
 * | credentialsRead      | a role was looked up for a login                                        |
 * | transactionEnded     | a transaction of a reservation is over                                  |
 * | listenerLost         | the connection that listens for notifications broke                     |
 * | listenerRestored     | another one is there                                                    |
 * | notificationsDropped | a subscriber was cut off that was too slow for `count` notifications    |
 */
export type PoolerEvent =
  | { readonly type: "connectionOpened"; readonly durationMs: number }
  | { readonly type: "connectionFailed"; readonly isTimeout: boolean }
  | {
      readonly type: "drained";
      readonly role: PoolerRole;
      readonly durationMs: number;
      readonly cut: number;
    }
  | {
      readonly type: "credentialsRead";
      readonly durationMs: number;
      readonly problem: CredentialProblem | undefined;
    }
  | {
      readonly type: "transactionEnded";
      readonly outcome: TransactionOutcome;
      readonly durationMs: number;
    }
  | { readonly type: "listenerLost" }
  | { readonly type: "listenerRestored"; readonly gapMs: number }
  | { readonly type: "notificationsDropped"; readonly count: number };

/** Takes events. Must not throw, and not take long. */
export type PoolerEventListener = (event: PoolerEvent) => void;

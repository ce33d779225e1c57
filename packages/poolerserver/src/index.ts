export type { ChangeableLimits } from "./changeable-limits.ts";
export { MultiPoolerError } from "./error.ts";
export type { MultiPoolerErrorOptions } from "./error.ts";
export type { Logger } from "./logger.ts";
export { MultiPooler } from "./multi-pooler.ts";
export type { MultiPoolerOptions } from "./multi-pooler-options.ts";
export type {
  Administration,
  DatabasePool,
  DatabaseReport,
  DatabaseReservation,
  DatabaseUser,
  PoolLimits,
} from "./databases/administration.ts";
export type {
  CredentialProblem,
  PoolerEvent,
  PoolerEventListener,
  TransactionOutcome,
} from "./pooler-event.ts";
export type { TotalFigures } from "./pool/activity-totals.ts";
export type { ConnectionSums } from "./pool/connection-sums.ts";
export type { KindActivity, UserActivity, WaitFigures } from "./pool/user-totals.ts";
export type { PoolReport, ServerReport, ServerState } from "./pool/pool-report.ts";
export { ANSWER_TIME_BOUNDS_MS, ROW_COUNT_BOUNDS } from "@multipooler/pgwire";
export type { ReservationReport } from "./reservations/reservation-report.ts";
export type { ObservedStatement, StatementObserver } from "./session/statement-observer.ts";
export { SESSION_ISOLATIONS } from "./session-isolation.ts";
export type { SessionIsolation } from "./session-isolation.ts";

import type { ResolvedOptions } from "./multi-pooler-options.ts";

/**
 * The limits of a pooler that can change while it runs; see `MultiPoolerOptions` for each. A drain that
 * runs keeps its grace, and a connection the lifetime that it was opened with.
 */
export type ChangeableLimits = Pick<
  ResolvedOptions,
  | "databases"
  | "capacity"
  | "maxConnectionsPerUser"
  | "maxConnectionsPerDatabase"
  | "minConnectionsPerUser"
  | "idleTimeoutMs"
  | "maxLifetimeMs"
  | "waitTimeoutMs"
  | "maxQueueBytes"
  | "drainGraceMs"
  | "inactivityTimeoutMs"
  | "unusedDatabaseMs"
  | "slowStatementMs"
  | "slowWaitMs"
  | "slowTextLength"
  | "slowParameterLength"
>;

/** Those of them that each pool keeps. */
export type SchedulerLimits = Pick<
  ChangeableLimits,
  "capacity" | "idleTimeoutMs" | "maxLifetimeMs" | "waitTimeoutMs" | "maxQueueBytes"
>;

/** Options whose limits are asked for at each use. */
export function withLimits<Options extends object>(
  options: Options,
  limits: () => SchedulerLimits,
): Options & SchedulerLimits {
  return {
    ...options,
    get capacity() {
      return limits().capacity;
    },
    get idleTimeoutMs() {
      return limits().idleTimeoutMs;
    },
    get maxLifetimeMs() {
      return limits().maxLifetimeMs;
    },
    get waitTimeoutMs() {
      return limits().waitTimeoutMs;
    },
    get maxQueueBytes() {
      return limits().maxQueueBytes;
    },
  };
}

/** The limits that all pools share. */
interface BudgetLimits {
  readonly capacity: number;
  readonly maxPerUser: number;
  readonly maxPerDatabase: number;
  readonly minPerUser: number;
}

/** Options of the budget whose limits are asked for at each use. */
export function withBudgetLimits<Options extends object>(
  options: Options,
  limits: () => ChangeableLimits,
): Options & BudgetLimits {
  return {
    ...options,
    get capacity() {
      return limits().capacity;
    },
    get maxPerUser() {
      return limits().maxConnectionsPerUser;
    },
    get maxPerDatabase() {
      return limits().maxConnectionsPerDatabase;
    },
    get minPerUser() {
      return limits().minConnectionsPerUser;
    },
  };
}

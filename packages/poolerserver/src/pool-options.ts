import type { ConnectionBudget } from "@multipooler/controller-api";
import type { Clock } from "@multipooler/timing";
import type { OpenBackend } from "./backend.ts";
import type { Logger } from "./logger.ts";

/** How a `Pool` is set up. */
export interface PoolOptions {
  readonly openBackend: OpenBackend;
  /** Sessions this pool may hold at once; the budget may allow fewer. */
  readonly capacity: number;
  readonly budget: ConnectionBudget;
  /** A session that was idle for so long is closed; 0 keeps it. */
  readonly idleTimeoutMs: number;
  /** A session of this age is closed when it would be used again; 0 keeps it. */
  readonly maxLifetimeMs: number;
  /** The longest that `acquire` waits; 0 leaves it to the signal. */
  readonly waitTimeoutMs: number;
  /** How long `close` waits for sessions that are lent before it cuts them. */
  readonly closeGraceMs: number;
  readonly clock: Clock;
  /** A number from 0 up to, but not including, 1. */
  readonly random: () => number;
  readonly logger: Logger;
}

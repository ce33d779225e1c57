import { PoolerErrorCode } from "@multipooler/controller-api";
import { systemClock } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { MultiPoolerError } from "./error.ts";
import type { Logger } from "./logger.ts";

/** About 25 days; more is taken for a mistake. */
const MAX_DURATION_MS = 2_147_483_647;

/** How a `MultiPooler` is set up. */
export interface MultiPoolerOptions {
  /** What it serves; a request for another table group or shard is refused. Empty: any. */
  readonly shard: { readonly tableGroup: string; readonly shard: string };
  /** Connections to PostgreSQL at most, from 1; the budget of the database may allow fewer. */
  readonly capacity: number;
  /** A connection that was idle for so long is closed; 0 keeps it. Default: 5 minutes. */
  readonly idleTimeoutMs?: number | undefined;
  /** A connection of about this age is not used again; 0 keeps it. Default: 1 hour. */
  readonly maxLifetimeMs?: number | undefined;
  /**
   * The longest that a query waits for a connection; then it fails with POOL_EXHAUSTED. 0 leaves it
   * to the caller's signal. Default: 30 s.
   */
  readonly waitTimeoutMs?: number | undefined;
  /**
   * How long running queries have to end when the pooler stops serving; then they are cancelled.
   * 0 waits without bound. Default: 3 s.
   */
  readonly drainGraceMs?: number | undefined;
  readonly logger: Logger;
  /** Default: the clock of the machine. */
  readonly clock?: Clock | undefined;
  /** A number from 0 up to, but not including, 1. Default: `Math.random`. */
  readonly random?: (() => number) | undefined;
}

/** The options with every default filled in. */
export type ResolvedOptions = {
  readonly [Name in keyof MultiPoolerOptions]-?: NonNullable<MultiPoolerOptions[Name]>;
};

/** @throws INVALID_ARGUMENT for a number that makes no sense, naming it. */
export function resolveOptions(options: MultiPoolerOptions): ResolvedOptions {
  const resolved: ResolvedOptions = {
    shard: options.shard,
    capacity: options.capacity,
    idleTimeoutMs: options.idleTimeoutMs ?? 300_000,
    maxLifetimeMs: options.maxLifetimeMs ?? 3_600_000,
    waitTimeoutMs: options.waitTimeoutMs ?? 30_000,
    drainGraceMs: options.drainGraceMs ?? 3000,
    logger: options.logger,
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
  };
  if (!Number.isSafeInteger(resolved.capacity) || resolved.capacity < 1) {
    throw invalid("capacity", resolved.capacity, "a whole number from 1");
  }
  for (const name of ["idleTimeoutMs", "maxLifetimeMs", "waitTimeoutMs", "drainGraceMs"] as const) {
    const isDuration = resolved[name] >= 0 && resolved[name] <= MAX_DURATION_MS;
    if (!isDuration) {
      throw invalid(name, resolved[name], `from 0 to ${MAX_DURATION_MS}`);
    }
  }
  return resolved;
}

function invalid(name: string, value: number, wanted: string): MultiPoolerError {
  return new MultiPoolerError(
    PoolerErrorCode.InvalidArgument,
    `${name} must be ${wanted}, not ${value}`,
  );
}

import type { SchedulerOptions } from "./scheduler-options.ts";

/** Lifetimes are shortened by up to this share, so that sessions opened together do not end so. */
const JITTER = 0.1;

/** When a session that is opened now is too old to be used again, on the monotonic clock. */
export function expiryOf({
  clock,
  random,
  maxLifetimeMs,
}: Pick<SchedulerOptions, "clock" | "random" | "maxLifetimeMs">): number {
  const lifetimeMs = maxLifetimeMs * (1 - JITTER * random());
  return maxLifetimeMs > 0 ? clock.monotonic() + lifetimeMs : Number.POSITIVE_INFINITY;
}

import { setTimeout as timer } from "node:timers/promises";

/** Time, as this package needs it; tests inject one that they move by hand. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Resolves `ms` later, or at once when the signal aborts, without an error. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** The time of the system. */
export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: async (ms, signal) => {
    try {
      await timer(ms, undefined, { signal });
    } catch {
      // The only failure of a timer is the abort, which the caller sees on its own signal.
    }
  },
};

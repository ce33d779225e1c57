import { setTimeout as timer } from "node:timers/promises";

/** Time, as this package needs it; tests inject one that they move by hand. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /**
   * Resolves `ms` later, or at once when the signal aborts, without an error. The system's clock
   * ends a sleep of more than 24 days after 24 days.
   */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** The longest sleep of a timer of Node: one that is set for longer goes off at once. */
const LONGEST_MS = 2 ** 31 - 1;

/** The time of the system. */
export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: async (ms, signal) => {
    try {
      await timer(Math.min(ms, LONGEST_MS), undefined, { signal });
    } catch {
      // The only failure of a timer is the abort, which the caller sees on its own signal.
    }
  },
};

import { setTimeout as timer } from "node:timers/promises";

/** Time as this package uses it; tests inject one that they move by hand. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Resolves after `ms`, or at once when the signal aborts; never rejects. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** The clock of the machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: async (ms, signal) => {
    // A timer fails for one reason only, the abort, which the caller sees on its own signal.
    await timer(ms, undefined, { signal }).catch(() => undefined);
  },
};

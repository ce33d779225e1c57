/** Time as this package uses it; tests inject one that they move by hand. */
export interface Clock {
  /** Milliseconds from any fixed point; never goes back. */
  now(): number;
  /** Calls `callback` once, after `delayMs`. */
  setTimer(callback: () => void, delayMs: number): Timer;
}

/** A call that is due later. */
export interface Timer {
  /** Ends it. Does nothing if it has run. */
  cancel(): void;
}

/** The clock of the machine. */
export const systemClock: Clock = {
  now: () => performance.now(),
  setTimer(callback, delayMs) {
    const timer = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
};

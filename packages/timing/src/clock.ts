/** Time. Code that measures or waits takes one through its options; tests move one by hand. */
export interface Clock {
  /**
   * Wall time: milliseconds since the Unix epoch. It jumps when the machine's clock is set, so it
   * is for moments that are shown, stored or compared with another machine's.
   */
  now(): number;
  /** Milliseconds from a fixed point; never goes back. For durations and deadlines. */
  monotonic(): number;
  /**
   * Calls `callback` once, `delayMs` from now; for 0 or less as soon as the event loop allows. Any
   * delay is kept, `Infinity` included. The timer keeps the process alive.
   */
  setTimer(callback: () => void, delayMs: number): Timer;
}

/** A call that is due later. */
export interface Timer {
  /** Drops the call. Does nothing once it has run. */
  cancel(): void;
}

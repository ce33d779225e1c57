import type { Clock, Timer } from "./clock.ts";

/** The longest delay of a timer of Node, about 25 days; for more it fires at once. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** The clock of the machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer: (callback, delayMs) => new SystemTimer(callback, delayMs),
};

/** Waits for a long delay in parts that Node can wait for. */
class SystemTimer implements Timer {
  readonly #callback: () => void;
  #leftMs: number;
  #timeout: NodeJS.Timeout;

  constructor(callback: () => void, delayMs: number) {
    this.#callback = callback;
    this.#leftMs = delayMs;
    this.#timeout = this.#waitForPart();
  }

  cancel(): void {
    clearTimeout(this.#timeout);
  }

  #waitForPart(): NodeJS.Timeout {
    if (this.#leftMs <= MAX_TIMEOUT_MS) {
      // Node prints a warning for a negative delay.
      return setTimeout(this.#callback, Math.max(0, this.#leftMs));
    }
    this.#leftMs -= MAX_TIMEOUT_MS;
    return setTimeout(() => {
      this.#timeout = this.#waitForPart();
    }, MAX_TIMEOUT_MS);
  }
}

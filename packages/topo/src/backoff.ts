import type { Clock } from "./clock.ts";

/** The waits between attempts. */
export interface BackoffOptions {
  /** The bound of the first wait, in milliseconds. */
  readonly minMs: number;
  /** The bound of every wait, in milliseconds. */
  readonly maxMs: number;
  readonly clock: Clock;
  /** A number from 0 up to 1. */
  readonly random: () => number;
}

/**
 * Waits between attempts with full jitter: the k-th is uniform between 0 and `min * 2^k`, bounded
 * by `max`, so that clients that failed together do not come back together.
 */
export class Backoff {
  readonly #options: BackoffOptions;
  #attempts = 0;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  /** Waits before the next attempt; an abort ends the wait at once, without an error. */
  async wait(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    await clock.sleep(this.nextMs(), signal);
  }

  /** How long the next wait is. */
  nextMs(): number {
    const { minMs, maxMs, random } = this.#options;
    const bound = Math.min(maxMs, minMs * 2 ** Math.min(this.#attempts, 40));
    this.#attempts += 1;
    return random() * bound;
  }

  /** An attempt went well: the next wait is a first one. */
  reset(): void {
    this.#attempts = 0;
  }
}

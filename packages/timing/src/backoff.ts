export interface BackoffOptions {
  /** The bound of the first delay, in milliseconds. */
  readonly minMs: number;
  /** The bound that the delays grow to, in milliseconds. */
  readonly maxMs: number;
  /** A number in [0, 1). */
  readonly random: () => number;
}

/**
 * Delays between attempts with full jitter: each is uniform between 0 and a bound that doubles from
 * `minMs` to `maxMs`, so that clients that failed together do not come back together.
 */
export class Backoff {
  readonly #options: BackoffOptions;
  #boundMs: number;

  constructor(options: BackoffOptions) {
    this.#options = options;
    this.#boundMs = options.minMs;
  }

  /** The delay before the next attempt, in milliseconds. */
  nextMs(): number {
    const delayMs = this.#options.random() * this.#boundMs;
    this.#boundMs = Math.min(this.#boundMs * 2, this.#options.maxMs);
    return delayMs;
  }

  /** An attempt succeeded: the next delay is a first one. */
  reset(): void {
    this.#boundMs = this.#options.minMs;
  }
}

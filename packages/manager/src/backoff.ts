/** What a {@link Backoff} is made of. */
export interface BackoffOptions {
  /** The bound of the first delay, in milliseconds. */
  readonly minMs: number;
  /** The bound that the delays grow to. */
  readonly maxMs: number;
  /** A number in [0, 1). */
  readonly random: () => number;
}

/**
 * Delays between attempts with full jitter: each is uniform between 0 and a bound that doubles
 * from `minMs` to `maxMs`, so that many poolers in front of one server do not knock together.
 */
export class Backoff {
  readonly #options: BackoffOptions;
  #bound: number;

  constructor(options: BackoffOptions) {
    this.#options = options;
    this.#bound = options.minMs;
  }

  /** The delay before the next attempt, in milliseconds. */
  next(): number {
    const delay = this.#options.random() * this.#bound;
    this.#bound = Math.min(this.#bound * 2, this.#options.maxMs);
    return delay;
  }

  /** Begins anew: an attempt succeeded. */
  reset(): void {
    this.#bound = this.#options.minMs;
  }
}

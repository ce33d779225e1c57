import { setTimeout as elapsed } from "node:timers/promises";

/** The pooler waits for a second. Half of that, since it asks at other moments than this does. */
const LONGEST_ANSWER_MS = 500;
const PAUSE_MS = 250;
/** A question is given up then, and asked again. */
const ANSWER_LIMIT_MS = 10_000;
/** What was refused may still be refused for so long. */
const AFTERMATH_MS = 15_000;

export interface StallsOptions {
  /** Asks PostgreSQL for an answer, past the pooler. */
  readonly probe: (options: { readonly signal: AbortSignal }) => Promise<unknown>;
  readonly now: () => number;
}

/**
 * Knows when the machine was so slow that PostgreSQL itself did not answer in time, so that the pooler
 * had to take it for one that is away. It is seen past the pooler, which must not be its own excuse.
 */
export class Stalls {
  readonly #options: StallsOptions;
  #askedAt: number | undefined;
  #count = 0;
  #excusedMs = 0;
  /** The last one ended then. */
  #until = Number.NEGATIVE_INFINITY;

  constructor(options: StallsOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#count;
  }

  /** For how long errors were expected because of stalls, the time after them included. */
  get excusedMs(): number {
    return this.#excusedMs;
  }

  /** Whether there was one since then; `since` on the same clock. */
  hasBeenSince(since: number): boolean {
    const waitedMs = this.#askedAt === undefined ? 0 : this.#options.now() - this.#askedAt;
    return since < this.#until || waitedMs > LONGEST_ANSWER_MS;
  }

  /** Looks until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.look({ signal });
      await elapsed(PAUSE_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /**
   * Asks once, until the signal aborts. A PostgreSQL that is not there says so at once, and is none that
   * stalls.
   */
  async look({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { probe, now } = this.#options;
    const askedAt = now();
    this.#askedAt = askedAt;
    await probe({
      signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_LIMIT_MS)]),
    }).catch(() => undefined);
    this.#askedAt = undefined;
    if (now() - askedAt > LONGEST_ANSWER_MS) {
      this.#count += 1;
      const until = now() + AFTERMATH_MS;
      this.#excusedMs += until - Math.max(askedAt, this.#until);
      this.#until = until;
    }
  }
}

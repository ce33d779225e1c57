import { availableParallelism } from "node:os";

/** How much work, in milliseconds, the FIFO of a shared backend may hold. */
const DEPTH_MS = 2;
/** With this much work in each FIFO another backend is of use. */
const SPREAD_MS = 1;
/** What the pooler itself spends on a statement, about: a backend that is faster is not what limits. */
const OWN_COST_MS = 0.05;
/** A statement is taken to need this long until some have been seen. */
const FIRST_GUESS_MS = 0.5;
/** The weight of the latest run in the average. */
const WEIGHT = 1 / 16;
/** A run counts for no more a statement, so that one report does not stop sharing for long. */
const LONGEST_COUNTED_MS = 20;
/** Below this a statement is worth no more backends than there are cores. */
const SHORT_MS = 0.5;
/** This share of the runs is taken to be undisturbed. */
const QUICK_SHARE = 1 / 10;
/** How far a run that was slower than the quickest ones moves the bound of those. */
const STEP = 0.02;
/** The average counts where it is above the quickest runs by more than this. */
const AVERAGE_SHARE = 1 / 4;
/** No statement is taken to be faster. */
const MIN_MS = 0.005;
/** Nothing is put behind a statement that has run for this long. */
const LONG_RUN_MS = 4;

/**
 * Decides how many shareable units go onto one backend, and over how many backends they are spread.
 *
 * Both follow from what a statement takes of a backend's time. Where the CPU is scarce, that seems
 * longer than it is, and more backends would only make it scarcer. So it is judged by the quickest
 * tenth of the runs, unless the average is far above that: then some statements are long.
 *
 * Each further backend costs another system call and another wake-up a statement, on both sides: a
 * short statement goes onto a few backends, and onto another one only when those have enough to do.
 * The cores bound how many that are: where they are busy, one statement waits for the other whichever
 * backends have them, and a backend that has too much to do, by its depth, gets no more.
 */
export class Sharing {
  readonly #maxDepth: number;
  readonly #cores: number;
  #quickMs = FIRST_GUESS_MS;
  #averageMs = FIRST_GUESS_MS;
  #depth = 1;
  #spreadDepth = 1;
  #useful = 1;

  /**
   * @param maxDepth 1 switches sharing off
   * @param cores those of this machine, for want of the server's
   */
  constructor(maxDepth: number, cores: number = availableParallelism()) {
    this.#maxDepth = maxDepth;
    this.#cores = cores;
    this.#adapt();
  }

  /** Units that one backend may have in flight. */
  get depth(): number {
    return this.#depth;
  }

  /** Units that one backend gets before another one is used. */
  get spreadDepth(): number {
    return this.#spreadDepth;
  }

  /** Backends over which shareable units are spread while those have room. */
  get useful(): number {
    return this.#useful;
  }

  /** Whether a unit may go behind a statement that has run for so long. */
  isShortSoFar(ranMs: number): boolean {
    return ranMs < LONG_RUN_MS;
  }

  /** A backend has spent so long on so many units, without a pause. */
  onRun(tookMs: number, units: number): void {
    const unitMs = Math.min(tookMs / units, LONGEST_COUNTED_MS);
    this.#averageMs += (unitMs - this.#averageMs) * WEIGHT;
    // It stays where this share of the runs is below it.
    const factor = unitMs < this.#quickMs ? 1 - STEP * (1 / QUICK_SHARE - 1) : 1 + STEP;
    this.#quickMs = Math.max(this.#quickMs * factor, MIN_MS);
    this.#adapt();
  }

  #adapt(): void {
    const unitMs = Math.max(this.#quickMs, this.#averageMs * AVERAGE_SHARE);
    this.#depth = this.#depthFor(DEPTH_MS / unitMs);
    this.#spreadDepth = this.#depthFor(SPREAD_MS / unitMs);
    const useful = 1 + Math.floor(unitMs / OWN_COST_MS);
    this.#useful = unitMs < SHORT_MS ? Math.min(useful, this.#cores) : useful;
  }

  #depthFor(units: number): number {
    return Math.min(this.#maxDepth, Math.max(1, Math.floor(units)));
  }
}

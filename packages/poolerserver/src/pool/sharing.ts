/** How much work, in milliseconds, the FIFO of a shared backend may hold. */
const DEPTH_MS = 2;
/** A statement is taken to need this long until some have been seen. */
const FIRST_GUESS_MS = 0.5;
/** The weight of the latest statement in the average. */
const WEIGHT = 1 / 16;
/** A statement counts for no more, so that one report does not stop sharing for long. */
const LONGEST_COUNTED_MS = 20;
/** Nothing is put behind a statement that has run for this long. */
const LONG_RUN_MS = 4;
/** How often it is looked whether fewer backends would do. */
const REVIEW_MS = 1000;

/**
 * Decides how many shareable units go onto one backend, and over how many backends they are spread.
 *
 * The depth follows from what statements take on average, so that what is put last still waits
 * for little. The number of useful backends begins at one. It grows whenever a unit would have to
 * wait although a backend is idle, and falls by one a second while fewer would have held all units:
 * each further backend costs another system call and another wake-up a statement, on both sides.
 */
export class Sharing {
  readonly #maxDepth: number;
  #averageMs = FIRST_GUESS_MS;
  #depth: number;
  #useful = 1;
  #peak = 0;
  #reviewedAt = 0;

  /** @param maxDepth 1 switches sharing off. */
  constructor(maxDepth: number) {
    this.#maxDepth = maxDepth;
    this.#depth = this.#depthFor(FIRST_GUESS_MS);
  }

  /** Units that one backend may have in flight. */
  get depth(): number {
    return this.#depth;
  }

  /** Backends that shareable units are spread over while those have room. */
  get useful(): number {
    return this.#useful;
  }

  /** Whether a unit may go behind a statement that runs since `since`. */
  isShortSoFar(since: number, now: number): boolean {
    return now - since < LONG_RUN_MS;
  }

  /** A unit had to go onto one more backend. */
  grow(backends: number): void {
    this.#useful = Math.max(this.#useful, backends);
  }

  /** A unit was put onto a backend; `inFlight` are on all of them together. */
  onPlaced(inFlight: number, now: number): void {
    this.#peak = Math.max(this.#peak, inFlight);
    if (now - this.#reviewedAt < REVIEW_MS) {
      return;
    }
    this.#reviewedAt = now;
    const needed = Math.ceil(this.#peak / this.#depth);
    if (needed < this.#useful) {
      this.#useful = Math.max(1, this.#useful - 1);
    }
    this.#peak = inFlight;
  }

  /** A backend has spent `tookMs` on a unit. */
  onDone(tookMs: number): void {
    const countedMs = Math.min(tookMs, LONGEST_COUNTED_MS);
    this.#averageMs += (countedMs - this.#averageMs) * WEIGHT;
    this.#depth = this.#depthFor(this.#averageMs);
  }

  #depthFor(averageMs: number): number {
    const depth = Math.floor(DEPTH_MS / Math.max(averageMs, 0.001));
    return Math.min(this.#maxDepth, Math.max(1, depth));
  }
}

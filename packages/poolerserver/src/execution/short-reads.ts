import type { Classification } from "../classification/classification.ts";

/** A text counts as short after it was so this many times, one after the other, on its own backend. */
const RUNS = 16;
const SHORT_MS = 4;
const SMALL_BYTES = 16_384;

/** How a statement ran. */
export interface ReadRun {
  /** Bytes of its answer. */
  readonly bytes: number;
  readonly tookMs: number;
}

/** What was seen of the statements of one shape. */
export class ShortRead {
  #shortRuns = 0;
  #isLarge = false;

  /** Whether such a statement may share a backend. */
  get isShort(): boolean {
    return !this.#isLarge && this.#shortRuns >= RUNS;
  }

  /** Such a statement has run on a backend of its own. */
  ranAlone({ bytes, tookMs }: ReadRun): void {
    if (bytes > SMALL_BYTES) {
      this.#isLarge = true;
    } else {
      this.#shortRuns = tookMs <= SHORT_MS ? this.#shortRuns + 1 : 0;
    }
  }

  /** Such a statement has run on a backend that it shared; what it took is not known there. */
  ranShared(bytes: number): void {
    this.#isLarge ||= bytes > SMALL_BYTES;
  }
}

/**
 * Knows which reads are short whenever they run, and have small results. What is sent to a backend
 * cannot be taken back, and its answers come in order: behind anything else others would wait, for the
 * server or for a caller that reads slowly. One that had a large result once never shares again, until
 * its text is judged again.
 */
export class ShortReads {
  readonly #reads = new WeakMap<Classification, ShortRead>();

  /** `undefined`: such a statement never shares a backend. */
  of(classification: Classification): ShortRead | undefined {
    if (classification.sharing !== "shareable") {
      return undefined;
    }
    let read = this.#reads.get(classification);
    if (read === undefined) {
      read = new ShortRead();
      this.#reads.set(classification, read);
    }
    return read;
  }
}

import type { Classification, DoubtReview } from "../classification/classification.ts";
import { Taint } from "../classification/taint.ts";
import type { TaintSet } from "../classification/taint.ts";
import { ASKABLE } from "./remains-inquiry.ts";
import type { TaintingText } from "./input/unit-facts.ts";

/** Texts in doubt, and characters of them, beyond which they count as having left something. */
const MAX_DOUBTS = 1024;
const MAX_DOUBT_LENGTH = 262_144;

interface Doubt {
  readonly text: string;
  mask: TaintSet;
  /** As of its last run; see {@link DoubtReview}. */
  changes: number;
}

/**
 * What a session has left in its backend. While the catalog is not known as it is, any text may have
 * left something: such texts are kept and judged again when it was read.
 */
export class SessionTaint {
  #certain: TaintSet = Taint.None;
  /** What may be left in doubt; none without texts. */
  #doubtful: TaintSet = Taint.None;
  /** Texts that differ in constants only have one judgement, and are one doubt. Most sessions have none. */
  #doubts: Map<Classification, Doubt> | undefined;
  #length = 0;

  /** What is left, or may be. */
  get all(): TaintSet {
    return this.#certain | this.#doubtful;
  }

  /** Texts that are to be judged again. */
  get doubts(): number {
    return this.#doubts?.size ?? 0;
  }

  /** Something is left for certain. */
  add(taint: TaintSet): void {
    this.#certain |= taint;
  }

  /** A text has run. @param changes of the catalog up to its end */
  addText({ text, mask, classification }: TaintingText, changes: number): void {
    const { taint, certainTaint } = classification;
    this.#certain |= certainTaint & mask;
    const doubtful = taint & ~certainTaint & mask;
    if (doubtful === Taint.None) {
      return;
    }
    const doubt = this.#doubts?.get(classification);
    if (doubt !== undefined) {
      doubt.mask |= mask;
      doubt.changes = changes;
      this.#doubtful |= doubtful;
    } else if (this.#isKeptAnyway || !this.#hasRoomFor(text)) {
      this.#certain |= doubtful;
    } else {
      this.#doubts ??= new Map();
      this.#doubts.set(classification, { text, mask, changes });
      this.#length += text.length;
      this.#doubtful |= doubtful;
    }
  }

  /** Judges what ran in doubt, as far as the catalog was read since. */
  review(classifier: DoubtReview): void {
    for (const [classification, { text, mask, changes }] of this.#doubts ?? []) {
      const left = classifier.taintSince(text, changes);
      if (left !== undefined) {
        this.#certain |= left & mask;
        this.#doubts?.delete(classification);
        this.#length -= text.length;
      }
    }
    if (this.doubts === 0) {
      this.#doubtful = Taint.None;
    }
  }

  /** Only this may still be left. */
  keepOnly(taint: TaintSet): void {
    this.#certain &= taint;
    this.#doubtful = Taint.None;
    this.#length = 0;
    this.#doubts = undefined;
  }

  /** No other judgement would set the backend free: of the askable the server is asked. */
  get #isKeptAnyway(): boolean {
    return (this.#certain & ~ASKABLE) !== Taint.None;
  }

  #hasRoomFor(text: string): boolean {
    return this.doubts < MAX_DOUBTS && this.#length + text.length <= MAX_DOUBT_LENGTH;
  }
}

import type {
  Classification,
  DoubtReview,
  StatementClassifier,
} from "../../classification/classification.ts";
import type { TaintSet } from "../../classification/taint.ts";
import type { SessionClassifier } from "../session-engine.ts";

/** Texts that are remembered; the one that was noted first is forgotten first. */
const MAX_TEXTS = 1000;
/** A longer text is not remembered. */
const MAX_TEXT_LENGTH = 8192;

/**
 * Judges texts as the classifier does, except that one whose result was too large for its client
 * does not share a backend again: there the server waits for a slow client.
 */
export class LargeResults implements SessionClassifier {
  readonly #classifier: StatementClassifier & DoubtReview;
  readonly #texts = new Set<string>();

  constructor(classifier: StatementClassifier & DoubtReview) {
    this.#classifier = classifier;
  }

  classify(text: string): Classification {
    const classification = this.#classifier.classify(text);
    return this.#texts.size > 0 && this.#texts.has(text)
      ? { ...classification, sharing: "exclusive" }
      : classification;
  }

  get changes(): number {
    return this.#classifier.changes;
  }

  taintSince(text: string, changes: number): TaintSet | undefined {
    return this.#classifier.taintSince(text, changes);
  }

  noteDdl(): void {
    this.#classifier.noteDdl();
  }

  noteLargeResult(text: string): void {
    if (text === "" || text.length > MAX_TEXT_LENGTH) {
      return;
    }
    if (this.#texts.size >= MAX_TEXTS) {
      for (const first of this.#texts) {
        this.#texts.delete(first);
        break;
      }
    }
    this.#texts.add(text);
  }
}

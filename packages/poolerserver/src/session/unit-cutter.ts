import type { Classification } from "../classification/classification.ts";
import { FrontendCode, textEnd } from "./frontend-message.ts";
import { MessageInput } from "./message-input.ts";
import { UnitFacts } from "./unit-facts.ts";

/** Judges a text; the answer is remembered, so that asking again costs little. */
export interface TextClassifier {
  classify(text: string): Classification;
}

const NOTHING: Buffer = Buffer.alloc(0);

/**
 * What the next messages of a client are.
 *
 * | cut       | means                                                                 |
 * | --------- | --------------------------------------------------------------------- |
 * | none      | nothing, or a group of the extended protocol that is not whole        |
 * | unit      | `bytes` and `facts` are a unit; if `facts.isOpen`, more of it follows |
 * | skipped   | the Sync came up to which an error skips                              |
 * | terminate | the client says good-bye                                              |
 * | broken    | what no client may send; `problem` says what                          |
 */
export type Cut = "none" | "unit" | "skipped" | "terminate" | "broken";

/**
 * Cuts the messages of a client into units: a Query, or everything up to and including a Sync. A
 * group with a Flush, or one that is longer than the bound, becomes a unit before its Sync is there.
 */
export class UnitCutter {
  readonly input: MessageInput = new MessageInput();
  readonly facts: UnitFacts = new UnitFacts();
  readonly #classifier: TextClassifier;
  readonly #maxGroupBytes: number;
  /** The unit that was cut last. */
  bytes: Buffer = NOTHING;
  /** The last text in it. */
  text = "";
  problem = "";
  /** CopyDone and CopyFail messages in it. */
  copyEnds = 0;
  /** The messages before the cursor begin a group. */
  #isInGroup = false;
  #isFlushed = false;
  #isSkipping = false;
  /** A COPY was parsed: any Execute may run it. */
  #hasParsedCopy = false;

  constructor(options: {
    readonly classifier: TextClassifier;
    /** A group that is longer does not wait for its Sync. */
    readonly maxGroupBytes: number;
  }) {
    this.#classifier = options.classifier;
    this.#maxGroupBytes = options.maxGroupBytes;
  }

  /** An error was raised in a group whose Sync has not come. */
  skipToSync(): void {
    this.#isSkipping = true;
  }

  /** Lets go of the unit that was cut last. */
  forget(): void {
    this.bytes = NOTHING;
    this.text = "";
  }

  /** Cuts the next unit. To be called while none runs. */
  next(): Cut {
    for (;;) {
      const code = this.input.peek();
      if (code === -1) {
        return this.#isGroupDue() ? this.#cut(true) : "none";
      }
      if (!this.input.advance()) {
        return this.#broken(`a message of type 0x${code.toString(16)} has a length that cannot be`);
      }
      const cut = this.#isInGroup ? this.#continueGroup(code) : this.#begin(code);
      if (cut !== "none") {
        return cut;
      }
    }
  }

  /** Reads what one message of the extended protocol says; false if it is none. */
  addToGroup(code: number): boolean {
    const { facts } = this;
    switch (code) {
      case FrontendCode.Parse:
        this.#parse();
        return true;
      case FrontendCode.Bind:
        this.#bind();
        return true;
      case FrontendCode.Describe:
        if (this.#byteAt(0) === 0x53) {
          facts.addUse(this.#byteAt(1) !== 0, false);
        }
        return true;
      case FrontendCode.Execute:
        facts.executes = true;
        facts.copies ||= this.#hasParsedCopy;
        return true;
      case FrontendCode.Close:
        return true;
      default:
        return false;
    }
  }

  #begin(code: number): Cut {
    const { facts, input } = this;
    if (this.#isSkipping) {
      return this.#skip(code);
    }
    facts.reset();
    this.copyEnds = 0;
    switch (code) {
      case FrontendCode.Query:
        facts.addText(this.#classify(input.bodyStart));
        return this.#cut(false);
      case FrontendCode.Sync:
        return this.#cut(false);
      case FrontendCode.FunctionCall:
        facts.addUnknownCall();
        return this.#cut(false);
      case FrontendCode.Terminate:
        return "terminate";
      case FrontendCode.CopyData:
      case FrontendCode.CopyDone:
      case FrontendCode.CopyFail:
      // PostgreSQL passes over what is left of a COPY that has failed.
      case FrontendCode.Flush:
        input.take();
        return "none";
      default:
        return this.#beginGroup(code);
    }
  }

  #beginGroup(code: number): Cut {
    if (!this.addToGroup(code)) {
      return this.#unexpected(code);
    }
    this.facts.isExtended = true;
    this.#isInGroup = true;
    this.#isFlushed = false;
    return "none";
  }

  #continueGroup(code: number): Cut {
    switch (code) {
      case FrontendCode.Sync:
        return this.#cut(false);
      case FrontendCode.Flush:
        this.#isFlushed = true;
        return "none";
      case FrontendCode.CopyDone:
      case FrontendCode.CopyFail:
        this.copyEnds += 1;
        return "none";
      case FrontendCode.CopyData:
        return "none";
      case FrontendCode.Terminate:
        return "terminate";
      default:
        return this.addToGroup(code) ? "none" : this.#unexpected(code);
    }
  }

  #skip(code: number): Cut {
    this.input.take();
    switch (code) {
      case FrontendCode.Sync:
        this.#isSkipping = false;
        return "skipped";
      case FrontendCode.Terminate:
        return "terminate";
      default:
        return "none";
    }
  }

  #isGroupDue(): boolean {
    return this.#isInGroup && (this.#isFlushed || this.input.keptBytes > this.#maxGroupBytes);
  }

  #cut(isOpen: boolean): Cut {
    this.facts.isOpen = isOpen;
    this.bytes = this.input.take();
    this.#isInGroup = false;
    return "unit";
  }

  #parse(): void {
    const { chunk, bodyStart, bodyEnd } = this.input;
    this.facts.addParse(this.#byteAt(0) !== 0);
    const text = this.#classify(textEnd(chunk, bodyStart, bodyEnd) + 1);
    this.facts.addText(text);
    this.#hasParsedCopy ||= text.copy !== undefined;
  }

  #bind(): void {
    const { chunk, bodyStart, bodyEnd } = this.input;
    const portalEnd = textEnd(chunk, bodyStart, bodyEnd);
    if (portalEnd + 1 < bodyEnd) {
      this.facts.addUse(chunk[portalEnd + 1] !== 0, true);
    } else {
      this.facts.addUnreadable();
    }
  }

  /** Judges the text that begins at `start` in the current message. */
  #classify(start: number): Classification {
    const { chunk, bodyEnd } = this.input;
    this.text = chunk.toString("utf8", start, textEnd(chunk, start, bodyEnd));
    return this.#classifier.classify(this.text);
  }

  #byteAt(offset: number): number {
    const { chunk, bodyStart, bodyEnd } = this.input;
    return bodyStart + offset < bodyEnd ? (chunk[bodyStart + offset] ?? 0) : 0;
  }

  #unexpected(code: number): Cut {
    return this.#broken(
      code === FrontendCode.Query || code === FrontendCode.FunctionCall
        ? "a query inside an unfinished group of the extended protocol"
        : `a message of type 0x${code.toString(16)}`,
    );
  }

  #broken(problem: string): Cut {
    this.problem = problem;
    return "broken";
  }
}

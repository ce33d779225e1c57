import type { Classification } from "../../classification/classification.ts";
import { FrontendCode, isFrontendCode } from "./frontend-message.ts";
import { MessageInput } from "./message-input.ts";
import type { GroupOwner, UnfinishedGroups } from "./unfinished-groups.ts";
import type { SessionSettings } from "../settings/session-settings.ts";
import type { ClientStatements } from "../statements/client-statements.ts";
import type { HeldSession } from "../statements/held-session.ts";
import type { StatementMessage } from "../statements/statement-message.ts";
import { UnitStatements } from "../statements/unit-statements.ts";
import { UnitFacts } from "./unit-facts.ts";

/** Judges a text; the answer is remembered, so that asking again costs little. */
export interface TextClassifier {
  classify(text: string): Classification;
}

export interface UnitCutterOptions {
  readonly classifier: TextClassifier;
  readonly statements: ClientStatements;
  readonly settings: SessionSettings;
  readonly hold: HeldSession;
  /** A group that is longer does not wait for its Sync. */
  readonly maxGroupBytes: number;
  readonly groups: UnfinishedGroups;
  /** A group whose Sync has not come is a unit now. */
  readonly onGroupDue: () => void;
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
 * | terminate | the client ends its session                                           |
 * | broken    | what no client may send; `problem` says what                          |
 */
export type Cut = "none" | "unit" | "skipped" | "terminate" | "broken";

/**
 * Cuts the messages of a client into units: a Query, or everything up to and including a Sync. A
 * group with a Flush, one that is longer than the bound, or one whose Sync was waited for in vain becomes
 * a unit before its Sync is there. So does one that ends with the conversation: PostgreSQL runs what comes before its end.
 */
export class UnitCutter implements GroupOwner {
  readonly input: MessageInput = new MessageInput();
  readonly facts: UnitFacts = new UnitFacts();
  readonly #statements: UnitStatements;
  readonly #maxGroupBytes: number;
  readonly #groups: UnfinishedGroups;
  readonly #onGroupDue: () => void;
  /** The unit that was cut last. */
  bytes: Buffer = NOTHING;
  problem = "";
  /** CopyDone and CopyFail messages in it. */
  copyEnds = 0;
  /** The messages before the cursor begin a group. */
  #isInGroup = false;
  #isFlushed = false;
  #isSkipping = false;

  constructor(options: UnitCutterOptions) {
    const { input, facts } = this;
    this.#statements = new UnitStatements({ ...options, input, facts });
    this.#maxGroupBytes = options.maxGroupBytes;
    this.#groups = options.groups;
    this.#onGroupDue = options.onGroupDue;
  }

  /** The messages of the current unit, or of its next piece, that are to be rewritten. */
  get messages(): readonly StatementMessage[] {
    return this.#statements.messages;
  }

  /** The last text in the unit. */
  get text(): string {
    return this.#statements.text;
  }

  /** More of an open unit is going to be read. */
  beginPiece(): void {
    this.#statements.beginPiece();
  }

  /** An error was raised in a group whose Sync has not come. */
  skipToSync(): void {
    this.#isSkipping = true;
  }

  /** Lets go of the unit that was cut last. */
  forget(): void {
    this.bytes = NOTHING;
    this.#statements.forget();
  }

  /** The Sync of a group was waited for in vain. */
  runGroup(): void {
    this.#isFlushed = this.#isInGroup;
    this.#onGroupDue();
  }

  /** The session has ended. */
  end(): void {
    this.input.clear();
    this.#groups.forget(this);
  }

  /** Cuts the next unit. To be called while none runs. */
  next(): Cut {
    const cut = this.#next();
    if (cut !== "none") {
      this.#groups.forget(this);
    } else if (this.#isInGroup) {
      this.#groups.note(this);
    }
    return cut;
  }

  #next(): Cut {
    for (;;) {
      const code = this.input.peek();
      if (code === -1) {
        return this.#isGroupDue() ? this.#cut(true) : "none";
      }
      if (this.#isInGroup && (code === FrontendCode.Terminate || !isFrontendCode(code))) {
        return this.#cut(true);
      }
      if (!this.input.advance()) {
        return this.#isInGroup ? this.#cut(true) : this.#brokenLength(code);
      }
      const cut = this.#isInGroup ? this.#continueGroup(code) : this.#begin(code);
      if (cut !== "none") {
        return cut;
      }
    }
  }

  /** Reads what one message of the extended protocol says; false if it is none. */
  addToGroup(code: number): boolean {
    const isOfGroup = this.#readOfGroup(code);
    this.facts.replies += isOfGroup ? 1 : 0;
    return isOfGroup;
  }

  /**
   * Reads a Query or FunctionCall in the place of a Sync; false if it is neither. After an error it is
   * skipped, so that the unit stays open for a Sync.
   */
  endGroup(code: number): boolean {
    switch (code) {
      case FrontendCode.Query:
        this.#statements.query();
        break;
      case FrontendCode.FunctionCall:
        this.facts.addUnknownCall();
        break;
      default:
        return false;
    }
    this.facts.endsInCall = true;
    return true;
  }

  #readOfGroup(code: number): boolean {
    switch (code) {
      case FrontendCode.Parse:
        this.#statements.parse();
        return true;
      case FrontendCode.Bind:
        this.#statements.bind();
        return true;
      case FrontendCode.Describe:
        this.#statements.describe();
        return true;
      case FrontendCode.Execute:
        this.#statements.execute();
        return true;
      case FrontendCode.Close:
        this.#statements.close();
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
    this.#statements.begin();
    this.copyEnds = 0;
    switch (code) {
      case FrontendCode.Query:
        this.#statements.query();
        return this.#cut(false);
      case FrontendCode.Sync:
        // PostgreSQL has an error for one that says more.
        facts.needsBackend = input.bodyEnd > input.bodyStart;
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
        input.take();
        return "none";
      case FrontendCode.Flush:
        return this.#beginWithFlush();
      default:
        return this.#beginGroup(code);
    }
  }

  #beginWithFlush(): Cut {
    const { facts, input } = this;
    if (input.bodyEnd === input.bodyStart) {
      input.take();
      return "none";
    }
    // PostgreSQL has an error for one that says more, and skips to the next Sync.
    facts.isExtended = true;
    facts.needsBackend = true;
    this.#isInGroup = true;
    this.#isFlushed = true;
    return "none";
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
      default:
        if (this.addToGroup(code)) {
          return "none";
        }
        return this.endGroup(code) ? this.#cut(true) : this.#unexpected(code);
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
        return isFrontendCode(code) ? "none" : this.#unexpected(code);
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

  #unexpected(code: number): Cut {
    return this.#broken(`a message of type 0x${code.toString(16)}`);
  }

  #brokenLength(code: number): Cut {
    return this.#broken(`a message of type 0x${code.toString(16)} has a length that cannot be`);
  }

  #broken(problem: string): Cut {
    this.problem = problem;
    return "broken";
  }
}

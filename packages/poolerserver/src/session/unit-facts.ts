import type { Classification } from "../classification/classification.ts";
import { Taint } from "../classification/taint.ts";
import type { TaintSet } from "../classification/taint.ts";
import type { UnitKind } from "../pool/unit.ts";
import { wider } from "../statements/statement-classification.ts";

/**
 * What a unit of a session needs and leaves, collected message by message. One object serves all
 * units of a session.
 */
export class UnitFacts {
  #kind: UnitKind = "shareable";
  #taint: TaintSet = Taint.None;
  /** It is in the extended protocol: an error skips to its Sync. */
  isExtended = false;
  /** Its Sync has not come: more messages are to follow. */
  isOpen = false;
  /** It may put the protocol in COPY mode. */
  copies = false;
  opensTransaction = false;
  deallocates = false;
  /** May change the catalog. */
  ddl = false;
  /** Makes or uses a named statement, which only the backend that has it knows. */
  #usesNames = false;
  /** Ends with a Parse of the unnamed statement that it did not Bind: the client means to, later. */
  #leavesStatement = false;
  /** Parses the unnamed statement. */
  parses = false;
  /** Uses the unnamed statement of an earlier unit. */
  needsStatement = false;
  /** Has an Execute. */
  executes = false;
  #texts = 0;
  readOnlyEscape: string | undefined;

  get kind(): UnitKind {
    return this.isOpen || this.pinsStatement ? "exclusive" : this.#kind;
  }

  get taint(): TaintSet {
    return this.#taint;
  }

  /** Whether what it runs is one text, and certainly that: a group may only have parsed it. */
  get runsText(): boolean {
    const isRun = !this.isExtended || (this.parses && this.executes);
    return this.#texts === 1 && isRun && !this.pinsStatement && !this.needsStatement;
  }

  /** The backend has a prepared statement afterwards that the client may use. */
  get pinsStatement(): boolean {
    return this.#usesNames || this.#leavesStatement;
  }

  /** Whether the session is expected to hold its backend afterwards. */
  get reserves(): boolean {
    return this.opensTransaction || this.pinsStatement || this.#taint !== Taint.None;
  }

  reset(): void {
    this.#kind = "shareable";
    this.#taint = Taint.None;
    this.isExtended = false;
    this.isOpen = false;
    this.copies = false;
    this.opensTransaction = false;
    this.deallocates = false;
    this.ddl = false;
    this.#usesNames = false;
    this.#leavesStatement = false;
    this.parses = false;
    this.needsStatement = false;
    this.executes = false;
    this.#texts = 0;
    this.readOnlyEscape = undefined;
  }

  /** A text that the unit runs or parses. */
  addText(text: Classification): void {
    this.#texts += 1;
    this.#kind = wider(this.#kind, text.sharing);
    this.#taint |= text.taint;
    this.copies ||= text.copy !== undefined;
    this.opensTransaction ||= text.opensTransaction;
    this.deallocates ||= text.deallocates;
    this.ddl ||= text.ddl;
    this.readOnlyEscape ??= text.readOnlyEscape;
  }

  /** A call whose function is not known. */
  addUnknownCall(): void {
    this.#kind = "exclusive";
    this.#taint |= Taint.Unknown;
    this.readOnlyEscape ??= "a function call message";
  }

  addParse(isNamed: boolean): void {
    if (isNamed) {
      this.#usesNames = true;
    } else {
      this.parses = true;
      this.#leavesStatement = true;
    }
  }

  /** Bind, or Describe of a statement. */
  addUse(isNamed: boolean, isBind: boolean): void {
    if (isNamed) {
      this.#usesNames = true;
    } else if (!this.parses) {
      this.needsStatement = true;
    } else if (isBind) {
      this.#leavesStatement = false;
    }
  }

  /** A message that says nothing about names, or cannot be read. */
  addUnreadable(): void {
    this.#usesNames = true;
  }
}

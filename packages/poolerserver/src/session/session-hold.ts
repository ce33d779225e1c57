import type { TransactionStatus } from "@multipooler/pgwire";
import type { PinReason } from "@multipooler/query-service";
import type { DoubtReview } from "../classification/classification.ts";
import { Taint, WITH_STATEMENTS } from "../classification/taint.ts";
import type { TaintSet } from "../classification/taint.ts";
import { isUtf8, obscuresText } from "../pool/label-settings.ts";
import type { LabelSettings } from "../pool/label-settings.ts";
import type { BackendWatcher, Lease } from "../pool/lease.ts";
import { isWritable } from "../writable-session.ts";
import type { UnitFacts } from "./input/unit-facts.ts";
import { ASKABLE } from "./remains-inquiry.ts";
import { SessionTaint } from "./session-taint.ts";
import { OwnStatements } from "./statements/own-statements.ts";
import { HeldTransaction } from "./transaction/held-transaction.ts";

const ENCODING = "client_encoding";

/** The backend that a session has, and what keeps it from giving it back. */
export class SessionHold {
  readonly #onDoubts: (texts: number) => void;
  #lease: Lease | undefined;
  /** One that the backend does not know of, or none. */
  readonly held: HeldTransaction = new HeldTransaction((status) => (this.#backendStatus = status));
  #backendStatus: TransactionStatus = "I";
  readonly own: OwnStatements = new OwnStatements();
  readonly #taint = new SessionTaint();
  /** There were temporary objects, which statements may have been prepared for. */
  #hadTemporary = false;
  /** What it leaves in the backend without a need for it. */
  #litter: TaintSet = Taint.None;

  /** `onDoubts`: told how many texts are to be judged again when the catalog was read. */
  constructor(onDoubts: (texts: number) => void) {
    this.#onDoubts = onDoubts;
  }

  get lease(): Lease | undefined {
    return this.#lease;
  }

  /** The status of the session as its client knows it. */
  get transaction(): TransactionStatus {
    const { status } = this.held;
    return status === "I" ? this.#backendStatus : status;
  }

  /** Whether the session is in no transaction, and no backend is its own. */
  get isAtRest(): boolean {
    return this.#lease === undefined && this.transaction === "I";
  }

  /** As of the last ReadyForQuery from the backend that is held. */
  get backendStatus(): TransactionStatus {
    return this.#backendStatus;
  }

  set backendStatus(status: TransactionStatus) {
    this.#backendStatus = status;
  }

  /** Whether transactions on the backend that is held may write. */
  get isWritable(): boolean {
    return this.#lease !== undefined && isWritable(this.#lease.backend);
  }

  /** Whether something is left in the backend that the pooler cannot carry to another one. */
  get isStateful(): boolean {
    return this.#taint.all !== Taint.None;
  }

  /** Whether settings of its backend may differ from those of its label, outside of transactions too. */
  get hasOtherSettings(): boolean {
    return (this.#taint.all & Taint.Settings) !== 0;
  }

  /** Whether a transaction that runs gets text in another encoding than UTF-8; `undefined`: none runs. */
  get isOtherEncoding(): boolean | undefined {
    const encoding =
      this.#backendStatus === "I" ? undefined : this.#lease?.backend.parameters.get(ENCODING);
    return encoding === undefined ? undefined : !isUtf8(encoding);
  }

  /** Whether names may mean objects that only this session has. */
  get hadTemporary(): boolean {
    return this.#hadTemporary;
  }

  /** What may be left in it, if the server can tell of all that; see {@link ASKABLE}. */
  get askable(): TaintSet {
    const { all } = this.#taint;
    return (all & ~ASKABLE) === 0 ? all : Taint.None;
  }

  /** Why the backend cannot be given back between two units; `undefined`: it can. */
  get reason(): PinReason | undefined {
    if (this.#lease === undefined) {
      return undefined;
    }
    if (this.#backendStatus !== "I") {
      return "Transaction";
    }
    return this.isStateful ? "SessionState" : undefined;
  }

  take(lease: Lease): void {
    this.#lease = lease;
  }

  /** A unit has run on the backend. @param changes of the catalog up to its end */
  ran({ taint, taintingTexts, hasOtherTaint }: UnitFacts, changes: number): void {
    if (taint === Taint.None) {
      return;
    }
    this.#doubtStatements(taint);
    this.#hadTemporary ||=
      hasOtherTaint || taintingTexts.some((text) => text.classification.makesTemporary);
    if (hasOtherTaint) {
      this.#taint.add(taint);
      return;
    }
    for (const text of taintingTexts) {
      this.#taint.addText(text, changes);
    }
  }

  /** See {@link SessionTaint.review}. */
  review(classifier: DoubtReview): void {
    if (this.#taint.doubts > 0) {
      this.#taint.review(classifier);
      this.#onDoubts(this.#taint.doubts);
    }
  }

  /** Something was left in the backend. */
  addTaint(taint: TaintSet): void {
    this.#taint.add(taint);
    this.#doubtStatements(taint);
  }

  /** The server has told whether something is there of what is {@link askable}. */
  asked(hasNone: boolean): void {
    if (!hasNone) {
      this.#hadTemporary ||= (this.askable & Taint.Temporary) !== 0;
    } else if (this.askable !== Taint.None) {
      // Statements that were prepared for a temporary table are not for others.
      this.#litter |= this.#hadTemporary ? this.askable & Taint.Temporary : Taint.None;
      this.#keepOnly(Taint.None);
    }
  }

  /** The next unit leaves something in its backend that the session does not need. */
  leaveBehind(): void {
    this.#litter |= Taint.State;
  }

  /** In an encoding whose characters can hold quotes, texts are not what they look like. */
  watchEncoding(): void {
    if (obscuresText(this.#lease?.backend.parameters.get(ENCODING))) {
      this.addTaint(Taint.Unknown | Taint.Lasting);
    }
  }

  /**
   * DISCARD ALL has run, and the backend has `settings` since. It leaves what nothing takes away, and a
   * seed, which the session can do without and others must not get.
   */
  discarded(settings: LabelSettings): void {
    this.#litter |= this.#taint.all & Taint.Seed;
    this.#keepOnly(Taint.Lasting);
    this.own.clear();
    this.#lease?.statements.clear();
    this.#lease?.noteSettings(settings);
  }

  /**
   * What is parsed from now on stands apart from what other sessions may use, where settings that decide
   * its meaning are not those of the label.
   *
   * @param changesMeaning what runs may change such settings
   */
  setApart(changesMeaning: boolean): void {
    if (changesMeaning || this.hasOtherSettings) {
      this.#lease?.statements.setApart();
    }
  }

  /** Gives the backend back, or has it watched while it is kept. */
  releaseUnlessPinned(watcher: BackendWatcher): void {
    if (this.reason === undefined) {
      void this.release();
    } else {
      this.#lease?.watch(watcher);
    }
  }

  /** Gives the backend back, and says what is left in it. */
  release(): Promise<void> | undefined {
    const lease = this.#lease;
    const isOpen = this.#backendStatus !== "I";
    const left = this.#taint.all | this.#litter | (isOpen ? Taint.State : Taint.None);
    if (left !== Taint.None) {
      lease?.taint(left);
    }
    this.#reset();
    return lease?.release();
  }

  /** Ends the backend. */
  discard(reason: unknown): void {
    const lease = this.#lease;
    this.#reset();
    lease?.discard(reason);
  }

  #keepOnly(taint: TaintSet): void {
    if (this.#taint.doubts > 0) {
      this.#onDoubts(0);
    }
    this.#taint.keepOnly(taint);
  }

  /** Its prepared statements may be gone. */
  #doubtStatements(taint: TaintSet): void {
    if ((taint & WITH_STATEMENTS) !== 0) {
      this.#lease?.statements.doubt();
    }
  }

  #reset(): void {
    this.#lease?.statements.rejoin();
    this.#lease = undefined;
    this.#backendStatus = "I";
    this.#keepOnly(Taint.None);
    this.#litter = Taint.None;
    this.#hadTemporary = false;
    this.own.clear();
  }
}

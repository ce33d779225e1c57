import type { PgwireError } from "@multipooler/pgwire";
import { FLUSH, FrontendCode, isFrontendCode } from "../input/frontend-message.ts";
import { MessageBoundary } from "../output/message-boundary.ts";
import type { UnitCutter } from "../input/unit-cutter.ts";
import { CopyInterruption } from "./copy-interruption.ts";

const NOTHING: Buffer = Buffer.alloc(0);
/** The type of the next message while there is none. */
const NOTHING_YET = -1;

/**
 * What to do with the next messages while a unit runs. "hold": they wait until it is over, or until
 * its answer tells what they are.
 */
export type FeedStep = "feed" | "hold" | "terminate" | "broken";

/**
 * What to do in the middle of a COPY. "wait": it depends on what comes next; "passed": that has told;
 * "interrupt": a CopyFail goes in the place of the message.
 */
type CopyStep = "wait" | "passed" | "interrupt";

/**
 * Tells which messages belong to the unit that runs: the rest of a group that was begun, and the
 * data of a COPY. PostgreSQL answers a COPY FROM STDIN with CopyInResponse; until then it is not
 * known whether the next Sync ends the group or is passed over, so that what follows is held.
 */
export class UnitFeed {
  readonly #cutter: UnitCutter;
  #answer = new MessageBoundary();
  /** CopyDone and CopyFail messages that were sent. */
  #copyEnds = 0;
  readonly #interruption = new CopyInterruption();
  /** A Sync was sent in the middle of a COPY. */
  #hasCopySync = false;
  /** Nothing was sent behind a Flush. */
  #isFlushed = false;
  #bytes: Buffer = NOTHING;

  constructor({ cutter }: { readonly cutter: UnitCutter }) {
    this.#cutter = cutter;
  }

  /** Whether the server waits for the data of a COPY. */
  get isCopyIn(): boolean {
    return this.#answer.copyIns > this.#copyEnds && this.#answer.errors === 0;
  }

  /** Whether the group has failed, so that everything up to a Sync is skipped. */
  get #hasGroupFailed(): boolean {
    return this.#answer.errors > 0 && this.#answer.replies < this.#cutter.facts.replies;
  }

  /** Whether the client has the answer to everything that was sent. */
  get #isAnswered(): boolean {
    const { errors, replies, missing } = this.#answer;
    return missing === 0 && (errors > 0 || replies >= this.#cutter.facts.replies);
  }

  /** A unit that may copy, or is open, is sent. */
  begin(): void {
    this.#answer = new MessageBoundary();
    this.#copyEnds = this.#cutter.copyEnds;
    this.#interruption.reset();
    this.#hasCopySync = false;
    this.#isFlushed = false;
  }

  /** An error comes in the answer. */
  failing(error: PgwireError): void {
    this.#interruption.failing(error);
  }

  /** The unit has ended. Drops a message of the client that has only ended its COPY. */
  finish(): void {
    const { input } = this.#cutter;
    if (this.#interruption.hasHit && !this.#isGroupCopy) {
      this.#passOverSyncs();
      input.advance();
      input.take();
    }
    this.#interruption.reset();
  }

  /** Moves over Sync and Flush messages. Returns what comes behind them. */
  #passOverSyncs(): number {
    const { input } = this.#cutter;
    let code = input.peek();
    while ((code === FrontendCode.Sync || code === FrontendCode.Flush) && input.advance()) {
      code = input.peek();
    }
    return code;
  }

  /** Whether a COPY would be of the group: what comes behind its error is skipped up to a Sync. */
  get #isGroupCopy(): boolean {
    const { isExtended, endsInCall } = this.#cutter.facts;
    return isExtended && !endsInCall;
  }

  /** Parse messages of the unit were answered without the server. */
  noteReplies(count: number): void {
    this.#answer.replies += count;
  }

  /** Reads the next bytes of the answer to a unit that may copy, or is open. */
  watch(bytes: Uint8Array): void {
    this.#answer.advance(bytes);
    const { facts } = this.#cutter;
    if (this.isCopyIn && facts.isExtended) {
      // The Sync of the group was passed over, if it was sent: another one is to come.
      facts.isOpen = true;
    }
  }

  /** The COPY under way was ended without the client. */
  end(): void {
    this.#copyEnds += 1;
  }

  /** Takes what `next` has found to be sent. */
  take(): Buffer {
    const bytes = this.#bytes;
    this.#bytes = NOTHING;
    return bytes;
  }

  /** Finds what of the input goes on to the backend now. */
  next(): FeedStep {
    const { input } = this.#cutter;
    let hasBytes = false;
    this.#cutter.beginPiece();
    for (;;) {
      const code = input.peek();
      let step = this.#judge(code);
      if (step === "wait" && !hasBytes) {
        step = this.#judgeSync();
      }
      if (step === "interrupt" && !hasBytes) {
        this.#bytes = this.#interruption.send();
        return "feed";
      }
      if (step === "passed") {
        continue;
      }
      if (step === "feed" && !input.advance()) {
        this.#cutter.problem = "a message has a length that cannot be";
        step = "broken";
      }
      if (step !== "feed") {
        return this.#finish(hasBytes, step);
      }
      hasBytes = true;
      this.#isFlushed = false;
      this.#read(code);
    }
  }

  #finish(hasBytes: boolean, step: FeedStep | CopyStep): FeedStep {
    if (hasBytes) {
      this.#bytes = this.#cutter.input.take();
      return "feed";
    }
    switch (step) {
      case "wait":
      case "passed":
      case "interrupt":
        return "hold";
      case "terminate":
      case "broken":
        return this.#last(step);
      case "feed":
      case "hold":
        return step;
    }
  }

  /** The conversation ends once PostgreSQL has run what comes before, and the client has the answer. */
  #last(end: "terminate" | "broken"): FeedStep {
    if (this.isCopyIn || this.#isAnswered) {
      return end;
    }
    if (this.#isFlushed) {
      return "hold";
    }
    this.#isFlushed = true;
    this.#bytes = FLUSH;
    return "feed";
  }

  /**
   * A COPY passes over a Sync in its middle, but one that has failed is behind it. What comes next
   * tells, or the end of the unit.
   */
  #judgeSync(): FeedStep | CopyStep {
    const { input } = this.#cutter;
    const step = this.#judgeInCopy(this.#passOverSyncs());
    if (step === "feed") {
      input.take();
      return "passed";
    }
    input.rewind();
    return step;
  }

  #judge(code: number): FeedStep | CopyStep {
    const { isOpen, endsInCall } = this.#cutter.facts;
    const { isCopyIn } = this;
    if (code === NOTHING_YET || (endsInCall && !isCopyIn && !this.#hasGroupFailed)) {
      return "hold";
    }
    if (code === FrontendCode.Terminate && (isOpen || isCopyIn)) {
      return "terminate";
    }
    if (isCopyIn) {
      return this.#judgeInCopy(code);
    }
    // After a Sync in its middle, the COPY may have been over before, so that the unit is.
    const isOver = this.#hasCopySync && this.#answer.errors > 0 && !this.#interruption.hasHit;
    if (!isOpen || isOver) {
      return "hold";
    }
    return isFrontendCode(code) ? "feed" : this.#broken(code);
  }

  #broken(code: number): FeedStep {
    this.#cutter.problem = `a message of type 0x${code.toString(16)} inside a group`;
    return "broken";
  }

  #judgeInCopy(code: number): FeedStep | CopyStep {
    const isSafe = this.#isGroupCopy && !this.#hasCopySync;
    switch (code) {
      case FrontendCode.CopyData:
      case FrontendCode.CopyDone:
      case FrontendCode.CopyFail:
        return "feed";
      case FrontendCode.Sync:
      case FrontendCode.Flush:
        return isSafe ? "feed" : "wait";
      case FrontendCode.Terminate:
        return "terminate";
      case NOTHING_YET:
        return "hold";
      default:
        if (isSafe) {
          return "feed";
        }
        return this.#interruption.isPossible ? "interrupt" : "hold";
    }
  }

  /** Notes what a message means that is sent on. */
  #read(code: number): void {
    const { facts } = this.#cutter;
    switch (code) {
      case FrontendCode.CopyData:
        return;
      case FrontendCode.Flush:
        facts.flush();
        return;
      case FrontendCode.CopyDone:
      case FrontendCode.CopyFail:
        this.#copyEnds += 1;
        return;
      case FrontendCode.Sync:
        this.#hasCopySync = this.isCopyIn;
        facts.isOpen = this.isCopyIn;
        return;
      default:
        if (this.isCopyIn) {
          // PostgreSQL takes it for an error in the COPY.
          this.#copyEnds += 1;
        } else if (!this.#cutter.addToGroup(code)) {
          this.#cutter.endGroup(code);
        }
    }
  }
}

import { FrontendCode } from "../input/frontend-message.ts";
import { MessageBoundary } from "../output/message-boundary.ts";
import type { UnitCutter } from "../input/unit-cutter.ts";

const NOTHING: Buffer = Buffer.alloc(0);

/**
 * What to do with the next messages while a unit runs. "hold": they wait until it is over, or until
 * its answer tells what they are.
 */
export type FeedStep = "feed" | "hold" | "terminate" | "broken";

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
  #bytes: Buffer = NOTHING;

  constructor({ cutter }: { readonly cutter: UnitCutter }) {
    this.#cutter = cutter;
  }

  /** Whether the server waits for the data of a COPY. */
  get isCopyIn(): boolean {
    return this.#answer.copyIns > this.#copyEnds && this.#answer.errors === 0;
  }

  /** A unit that may copy, or is open, is sent. */
  begin(): void {
    this.#answer = new MessageBoundary();
    this.#copyEnds = this.#cutter.copyEnds;
  }

  /** Reads the next bytes of the answer to a unit that may copy. */
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
      const step = this.#judge(code);
      if (step === "drop" && !hasBytes && input.advance()) {
        input.take();
        continue;
      }
      if (step !== "feed") {
        return this.#finish(hasBytes, step);
      }
      if (!input.advance()) {
        this.#cutter.problem = "a message has a length that cannot be";
        return "broken";
      }
      hasBytes = true;
      if (!this.#read(code)) {
        return "broken";
      }
    }
  }

  #finish(hasBytes: boolean, step: FeedStep | "drop"): FeedStep {
    if (hasBytes) {
      this.#bytes = this.#cutter.input.take();
      return "feed";
    }
    return step === "drop" ? "broken" : step;
  }

  #judge(code: number): FeedStep | "drop" {
    if (code === -1) {
      return "hold";
    }
    const { isOpen } = this.#cutter.facts;
    const { isCopyIn } = this;
    if (code === FrontendCode.Terminate && (isOpen || isCopyIn)) {
      return "terminate";
    }
    if (isCopyIn) {
      return code === FrontendCode.Sync || code === FrontendCode.Flush ? "drop" : "feed";
    }
    return isOpen ? "feed" : "hold";
  }

  /** Notes what a message means that is sent on; false for one that may not come here. */
  #read(code: number): boolean {
    const { facts } = this.#cutter;
    switch (code) {
      case FrontendCode.CopyData:
      case FrontendCode.Flush:
        return true;
      case FrontendCode.CopyDone:
      case FrontendCode.CopyFail:
        this.#copyEnds += 1;
        return true;
      case FrontendCode.Sync:
        facts.isOpen = false;
        return true;
      default:
        if (this.isCopyIn) {
          // PostgreSQL takes it for an error in the COPY.
          this.#copyEnds += 1;
          return true;
        }
        if (this.#cutter.addToGroup(code)) {
          return true;
        }
        this.#cutter.problem = `a message of type 0x${code.toString(16)} inside a group`;
        return false;
    }
  }
}

import type { PgwireError } from "@multipooler/pgwire";
import { COPY_FAIL, GROUP_FAIL } from "../input/frontend-message.ts";
import type { StatementPlacement } from "../statements/statement-placement.ts";
import type { UnitCutter } from "../input/unit-cutter.ts";
import { UnitFeed } from "./unit-feed.ts";
import type { FeedStep } from "./unit-feed.ts";

export interface UnitInputOptions {
  readonly cutter: UnitCutter;
  readonly placement: StatementPlacement;
  /** More of the unit was read, and is to be placed. */
  readonly onMore: () => void;
  /** Sends bytes behind the unit. Returns false when its backend takes no more for now. */
  readonly send: (bytes: Uint8Array) => boolean;
}

/** Sends on what belongs to a unit and comes after it was begun. */
export class UnitInput {
  readonly #options: UnitInputOptions;
  readonly #feed: UnitFeed;
  #hasFed = false;
  #isOutOfStep = false;
  /** The backend takes no more for now. */
  isFull = false;

  constructor(options: UnitInputOptions) {
    this.#options = options;
    this.#feed = new UnitFeed(options);
  }

  /** Whether something was sent on. */
  get hasFed(): boolean {
    return this.#hasFed;
  }

  /** How often the server will say that it is ready is not known any more. */
  get isOutOfStep(): boolean {
    return this.#isOutOfStep;
  }

  /** A unit is begun. */
  begin(): void {
    const { facts } = this.#options.cutter;
    this.#hasFed = false;
    this.isFull = false;
    if (facts.copies || facts.isOpen) {
      this.#feed.begin();
    }
  }

  /** Sends on what is there. Returns what stopped that. */
  more(): FeedStep {
    const { cutter, placement } = this.#options;
    if (!cutter.facts.isOpen && !cutter.facts.copies) {
      return "hold";
    }
    for (;;) {
      if (this.isFull) {
        return "hold";
      }
      const step = this.#feed.next();
      if (step !== "feed") {
        return step;
      }
      this.#options.onMore();
      this.#send(placement.placeMore(this.#feed.take(), cutter.messages));
    }
  }

  /** Parse messages of the unit were answered without the server. */
  noteReplies(count: number): void {
    this.#feed.noteReplies(count);
  }

  /** Reads the next bytes of the answer to a unit that may copy, or is open. */
  watch(bytes: Uint8Array): void {
    this.#feed.watch(bytes);
  }

  /** An error comes in the answer. */
  failing(error: PgwireError): void {
    this.#feed.failing(error);
  }

  /** The unit has ended. */
  finish(): void {
    this.#feed.finish();
  }

  /**
   * Ends the input of a unit whose client is gone. The Sync behind a COPY of a group is passed over
   * by the COPY, unless a cancel ends that first: then it is answered, and so is the next one. Such a
   * backend is not used again.
   */
  end(): void {
    const { facts } = this.#options.cutter;
    if (this.#feed.isCopyIn && facts.copies) {
      this.#isOutOfStep = facts.isExtended;
      this.#send(COPY_FAIL);
      this.#feed.end();
    }
    if (facts.isOpen) {
      facts.isOpen = false;
      // After a Query it is answered only if an error skips to it.
      this.#isOutOfStep ||= facts.endsInCall;
      this.#send(GROUP_FAIL);
    }
  }

  #send(bytes: Uint8Array): void {
    this.#hasFed = true;
    this.isFull = !this.#options.send(bytes);
  }
}

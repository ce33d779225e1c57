import type { CopyEvent } from "@multipooler/pgwire";
import type { ResultEvent } from "@multipooler/query-service";
import type { AnswerFacts } from "./call-error.ts";
import { isCommit, tellsOfUnconfirmedCommit } from "./commit-signs.ts";
import { KeptEvents } from "./kept-events.ts";
import type { KeptEventsOwner } from "./kept-events.ts";

/** Takes the answer of a request: the sink of a caller, or what stands before it. */
export interface EventSink<More extends CopyEvent = never> {
  write(event: ResultEvent | More): Promise<void> | undefined;
}

/** What a {@link Receiver} belongs to. */
export interface ReceiverOwner {
  /** The sink has thrown or rejected. The receiver stops then; this or the next is called once. */
  sinkFailed(error: unknown): void;
  /** On a shared backend more waits for the sink than may. */
  sinkTooSlow(): void;
  /** On a shared backend the sink was behind, and has taken everything or is not waited for any more. */
  caughtUp(): void;
}

/**
 * Stands between a backend and the sink of a request, so that the request can let go of a sink
 * that is slow or broken: after `stop` events are dropped and nobody waits for the sink, while the
 * backend goes on to the end of its answer. After `hurry` that begins when the sink is behind.
 *
 * A backend that is shared never waits for the sink: what that does not take yet is kept here.
 */
export class Receiver<More extends CopyEvent = never> implements AnswerFacts, KeptEventsOwner {
  readonly #sink: EventSink<More>;
  readonly #owner: ReceiverOwner;
  /** Whether others wait for what the backend does next. */
  isShared = false;
  #stopped = false;
  #hurried = false;
  #hasDropped = false;
  #hasCommitted = false;
  #isUnconfirmed = false;
  #isSuspended = false;
  #bytes = 0;
  #kept: KeptEvents<ResultEvent | More> | undefined;
  /** Lets the backend go on, while it waits for the sink. */
  #resume: (() => void) | undefined;

  constructor(sink: EventSink<More>, owner: ReceiverOwner) {
    this.#sink = sink;
    this.#owner = owner;
  }

  /** Whether an event did not reach the sink, or nobody waited until the sink had taken it. */
  get hasDropped(): boolean {
    return this.#hasDropped;
  }

  get hasCommitted(): boolean {
    return this.#hasCommitted;
  }

  get isUnconfirmed(): boolean {
    return this.#isUnconfirmed;
  }

  get isSuspended(): boolean {
    return this.#isSuspended;
  }

  /** Of the answer so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether events are kept for the sink. */
  get isKeeping(): boolean {
    return this.#kept !== undefined;
  }

  event(event: ResultEvent | More): Promise<void> | undefined {
    this.#bytes += event.bytes.length;
    if (event.type === "complete") {
      this.#hasCommitted ||= isCommit(event.bytes);
    } else if (event.type === "notice") {
      this.#isUnconfirmed ||= tellsOfUnconfirmedCommit(event.bytes);
    } else if (event.type === "suspended") {
      this.#isSuspended = true;
    }
    if (this.#stopped) {
      this.#hasDropped = true;
      return undefined;
    }
    if (this.#kept !== undefined) {
      this.#keep(this.#kept, event);
      return undefined;
    }
    try {
      const behind = this.#sink.write(event);
      if (behind === undefined) {
        return undefined;
      }
      return this.isShared ? this.#keepFrom(behind) : this.#waitFor(behind);
    } catch (error) {
      this.#fail(error);
      return undefined;
    }
  }

  /** Drops what comes from now on. */
  stop(): void {
    this.#stopped = true;
    if (this.#kept !== undefined) {
      this.#hasDropped = true;
      this.#letGo();
    }
    if (this.#resume !== undefined) {
      this.#hasDropped = true;
      this.#resume();
    }
  }

  /** Waits for the sink no more: it gets what it takes at once, and is let go of otherwise. */
  hurry(): void {
    this.#hurried = true;
    if (this.#resume !== undefined || this.#kept !== undefined) {
      this.stop();
    }
  }

  taken(): void {
    this.#letGo();
  }

  failed(error: unknown): void {
    this.#fail(error);
  }

  #keepFrom(behind: Promise<void>): undefined {
    this.#kept = new KeptEvents(this.#sink, behind, this);
    if (this.#hurried) {
      this.stop();
    }
  }

  #keep(kept: KeptEvents<ResultEvent | More>, event: ResultEvent | More): void {
    if (!kept.keep(event)) {
      this.#owner.sinkTooSlow();
      this.stop();
    }
  }

  #letGo(): void {
    this.#kept?.drop();
    this.#kept = undefined;
    this.#owner.caughtUp();
  }

  #waitFor(behind: Promise<void>): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const resume = (): void => {
      this.#resume = undefined;
      resolve();
    };
    this.#resume = resume;
    behind.then(resume, (error: unknown) => {
      this.#fail(error);
      resume();
    });
    if (this.#hurried) {
      this.stop();
    }
    return promise;
  }

  #fail(error: unknown): void {
    if (!this.#stopped) {
      this.#owner.sinkFailed(error);
      this.stop();
    }
  }
}

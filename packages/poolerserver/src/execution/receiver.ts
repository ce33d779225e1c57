import type { ResultEvent, ResultSink } from "@multipooler/query-service";
import type { AnswerFacts } from "./call-error.ts";
import { isCommit, tellsOfUnconfirmedCommit } from "./commit-signs.ts";

/** What a {@link Receiver} belongs to. */
export interface ReceiverOwner {
  /** The sink has thrown or rejected. Called once; the receiver has stopped then. */
  sinkFailed(error: unknown): void;
}

/**
 * Stands between a backend and the sink of a request, so that the request can let go of a sink
 * that is slow or broken: after `stop` events are dropped and nobody waits for the sink, while the
 * backend goes on to the end of its answer. After `hurry` that begins when the sink is behind.
 */
export class Receiver implements AnswerFacts {
  readonly #sink: ResultSink;
  readonly #owner: ReceiverOwner;
  #stopped = false;
  #hurried = false;
  #hasDropped = false;
  #hasCommitted = false;
  #isUnconfirmed = false;
  #isSuspended = false;
  /** Lets the backend go on, while it waits for the sink. */
  #resume: (() => void) | undefined;

  constructor(sink: ResultSink, owner: ReceiverOwner) {
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

  event(event: ResultEvent): Promise<void> | undefined {
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
    try {
      const behind = this.#sink.write(event);
      return behind === undefined ? undefined : this.#waitFor(behind);
    } catch (error) {
      this.#fail(error);
      return undefined;
    }
  }

  /** Drops what comes from now on. */
  stop(): void {
    this.#stopped = true;
    if (this.#resume !== undefined) {
      this.#hasDropped = true;
      this.#resume();
    }
  }

  /** Waits for the sink no more: it gets what it takes at once, and is let go of otherwise. */
  hurry(): void {
    this.#hurried = true;
    if (this.#resume !== undefined) {
      this.stop();
    }
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
      this.stop();
      this.#owner.sinkFailed(error);
    }
  }
}

import { handOver } from "./answer-event.ts";
import type { AnswerEvent } from "./answer-event.ts";
import type { EventRequest, RequestEnd } from "./request.ts";

/** Memory that a kept event takes besides its bytes, roughly. */
const EVENT_OVERHEAD_BYTES = 128;

/** A shorter event is copied, so that it does not keep a whole chunk in memory. */
const COPIED_BYTES = 16_384;

/** The connection of a {@link SlowSink}. */
export interface SlowSinkOwner {
  /** Bytes that had been kept were taken or dropped. */
  spillTaken(bytes: number): void;
  /** The last call of the other functions for now: what was held back can go on. */
  progressed(): void;
  /** The receiver failed; it gets nothing more of this answer. */
  sinkFailed(sink: SlowSink, cause: unknown): void;
  /** It has taken everything so far, and its answer is not over. */
  caughtUp(sink: SlowSink): void;
  /** Its answer is over, and it has been settled. */
  finished(sink: SlowSink): void;
}

/**
 * A receiver that is behind: keeps the events of its answer, and its end, until it has taken them.
 * Exists from the promise of `event` to the moment when nothing is kept any more.
 */
export class SlowSink {
  readonly #request: EventRequest;
  readonly #owner: SlowSinkOwner;
  readonly #events: AnswerEvent[] = [];
  #end: RequestEnd | undefined;
  #isSettled = false;

  constructor(request: EventRequest, owner: SlowSinkOwner) {
    this.#request = request;
    this.#owner = owner;
  }

  /** Waits for what the receiver answered to an event. */
  wait(promise: Promise<void>): void {
    promise.then(
      () => {
        this.#drain();
        this.#owner.progressed();
      },
      (cause: unknown) => {
        this.#fail(cause);
        this.#owner.progressed();
      },
    );
  }

  /** Keeps an event. Returns the bytes that it takes. */
  keep(event: AnswerEvent): number {
    this.#events.push(event.bytes.length < COPIED_BYTES ? ownCopy(event) : event);
    return cost(event);
  }

  /** The answer is over: settles as soon as everything was taken. */
  finish(end: RequestEnd): void {
    this.#end = end;
  }

  /** Settles now; what was kept is dropped. */
  cut(end: RequestEnd): void {
    if (!this.#isSettled) {
      this.#isSettled = true;
      this.#dropEvents();
      this.#request.settle(end);
    }
  }

  #drain(): void {
    while (!this.#isSettled) {
      const event = this.#events.shift();
      if (event === undefined) {
        this.#done();
        return;
      }
      this.#owner.spillTaken(cost(event));
      try {
        const promise = handOver(this.#request, event);
        if (promise !== undefined) {
          this.wait(promise);
          return;
        }
      } catch (cause) {
        this.#fail(cause);
        return;
      }
    }
  }

  #fail(cause: unknown): void {
    if (this.#isSettled) {
      return;
    }
    this.#dropEvents();
    if (this.#end?.type === "ready") {
      this.#end = { ...this.#end, type: "sinkFailed", cause };
    }
    this.#owner.sinkFailed(this, cause);
    this.#done();
  }

  #done(): void {
    const end = this.#end;
    if (end === undefined) {
      this.#owner.caughtUp(this);
      return;
    }
    this.#isSettled = true;
    this.#owner.finished(this);
    this.#request.settle(end);
  }

  #dropEvents(): void {
    let bytes = 0;
    for (const event of this.#events.splice(0)) {
      bytes += cost(event);
    }
    this.#owner.spillTaken(bytes);
  }
}

function ownCopy(event: AnswerEvent): AnswerEvent {
  return { ...event, bytes: Buffer.from(event.bytes) };
}

function cost(event: AnswerEvent): number {
  return event.bytes.length + EVENT_OVERHEAD_BYTES;
}

import type { AnswerEvent } from "@multipooler/pgwire";
import type { ResultEvent } from "@multipooler/query-service";

/** What may wait for the sink of a request that shares its backend. */
export const MAX_KEPT_BYTES = 262_144;
/** What an event that is kept costs besides its bytes. */
const EVENT_COST_BYTES = 128;

/** What has become of the sink that was behind. One of these is called, and once. */
export interface KeptEventsOwner {
  /** It has taken everything. */
  taken(): void;
  /** It has thrown or rejected. */
  failed(error: unknown): void;
}

/** What takes them in the end. */
export interface KeptEventsSink<Event extends AnswerEvent = ResultEvent> {
  write(event: Event): Promise<void> | undefined;
}

/**
 * Keeps events for a sink that is behind, so that its backend can go on: from the promise that the
 * sink returned until it has taken everything.
 */
export class KeptEvents<Event extends AnswerEvent = ResultEvent> {
  readonly #sink: KeptEventsSink<Event>;
  readonly #owner: KeptEventsOwner;
  readonly #events: Event[] = [];
  #bytes = 0;
  #isDropped = false;

  /** @param behind what the sink returned for the event before */
  constructor(sink: KeptEventsSink<Event>, behind: Promise<void>, owner: KeptEventsOwner) {
    this.#sink = sink;
    this.#owner = owner;
    this.#wait(behind);
  }

  /** Returns false if more would be kept than may be. */
  keep(event: Event): boolean {
    this.#bytes += event.bytes.length + EVENT_COST_BYTES;
    if (this.#bytes > MAX_KEPT_BYTES) {
      return false;
    }
    // A view would keep a whole chunk of the backend in memory.
    this.#events.push({ ...event, bytes: Buffer.from(event.bytes) });
    return true;
  }

  /** Nobody wants them any more. Its owner is not called again. */
  drop(): void {
    this.#isDropped = true;
    this.#events.length = 0;
  }

  #wait(behind: Promise<void>): void {
    behind.then(
      () => this.#drain(),
      (error: unknown) => this.#fail(error),
    );
  }

  #drain(): void {
    while (!this.#isDropped) {
      const event = this.#events.shift();
      if (event === undefined) {
        this.#isDropped = true;
        this.#owner.taken();
        return;
      }
      this.#bytes -= event.bytes.length + EVENT_COST_BYTES;
      try {
        const behind = this.#sink.write(event);
        if (behind !== undefined) {
          this.#wait(behind);
          return;
        }
      } catch (error) {
        this.#fail(error);
      }
    }
  }

  #fail(error: unknown): void {
    if (!this.#isDropped) {
      this.drop();
      this.#owner.failed(error);
    }
  }
}

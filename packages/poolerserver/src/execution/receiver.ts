import type { ResultEvent, ResultSink } from "@multipooler/controller-api";

/**
 * Stands between a backend and the sink of a request, so that the request can let go of a sink
 * that is slow or broken: after `stop` events are dropped and nobody waits for the sink, while the
 * backend goes on to the end of its answer. After `hurry` that begins when the sink is behind.
 */
export class Receiver implements ResultSink {
  readonly #sink: ResultSink;
  readonly #onFailure: (error: unknown) => void;
  #stopped = false;
  #hurried = false;
  #waiting = false;
  #hasDropped = false;
  #hasSeenSetting = false;
  #resume: (() => void) | undefined;

  /** @param onFailure called once, when the sink throws or rejects; the receiver has stopped then. */
  constructor(sink: ResultSink, onFailure: (error: unknown) => void) {
    this.#sink = sink;
    this.#onFailure = onFailure;
  }

  /** Whether an event did not reach the sink, or nobody waited until the sink had taken it. */
  get hasDropped(): boolean {
    return this.#hasDropped;
  }

  /** Whether the server reported a setting: what ran has changed the session. */
  get hasSeenSetting(): boolean {
    return this.#hasSeenSetting;
  }

  write(event: ResultEvent): Promise<void> | undefined {
    if (event.type === "parameterStatus") {
      this.#hasSeenSetting = true;
    }
    if (this.#stopped) {
      this.#hasDropped = true;
      return undefined;
    }
    try {
      const behind = this.#sink.write(event);
      if (behind === undefined) {
        return undefined;
      }
      const waiting = this.#waitFor(behind);
      if (this.#hurried) {
        this.stop();
      }
      return waiting;
    } catch (error) {
      this.#fail(error);
      return undefined;
    }
  }

  /** Drops what comes from now on. */
  stop(): void {
    this.#stopped = true;
    if (this.#waiting) {
      this.#hasDropped = true;
    }
    this.#resume?.();
  }

  /** Waits for the sink no more: it gets what it takes at once, and is let go of otherwise. */
  hurry(): void {
    this.#hurried = true;
    if (this.#waiting) {
      this.stop();
    }
  }

  async #waitFor(behind: Promise<void>): Promise<void> {
    const released = Promise.withResolvers<void>();
    this.#resume = released.resolve;
    this.#waiting = true;
    const settled = behind.catch((error: unknown) => this.#fail(error));
    await Promise.race([settled, released.promise]);
    this.#waiting = false;
  }

  #fail(error: unknown): void {
    if (this.#stopped) {
      return;
    }
    this.stop();
    this.#onFailure(error);
  }
}

import { decodeCommandTag } from "@multipooler/query-service";
import type { ResultEvent, ResultSink } from "@multipooler/query-service";
import { fail } from "node:assert/strict";

/** Keeps every event. Fails when it is called after its end, or while its promise is pending. */
export class RecordingSink implements ResultSink {
  readonly events: ResultEvent[] = [];
  readonly #react: (event: ResultEvent) => Promise<void> | undefined;
  /** Why it should not have been called. Thrown errors reach nobody but the controller. */
  #fault: string | undefined;
  #isBusy = false;

  /** @param react what it does with an event. Default: goes on at once. */
  constructor(react: (event: ResultEvent) => Promise<void> | undefined = () => undefined) {
    this.#react = react;
  }

  write(event: ResultEvent): Promise<void> | undefined {
    if (this.#isBusy) {
      this.#fault = `the sink got ${event.type} while its last promise was pending or had failed`;
    }
    this.events.push(event);
    this.#isBusy = true;
    const pending = this.#react(event);
    if (pending === undefined) {
      this.#isBusy = false;
      return undefined;
    }
    return this.#release(pending);
  }

  get types(): string[] {
    return this.events.map(({ type }) => type);
  }

  get tags(): string[] {
    return this.events.flatMap((event) =>
      event.type === "complete" ? [decodeCommandTag(event.bytes)] : [],
    );
  }

  get rowCount(): number {
    return this.events.reduce((sum, each) => sum + (each.type === "rows" ? each.rowCount : 0), 0);
  }

  /** Fails if it was ever called when it should not have been. */
  assertWellUsed(): void {
    if (this.#fault !== undefined) {
      fail(this.#fault);
    }
  }

  async #release(pending: Promise<void>): Promise<void> {
    await pending;
    this.#isBusy = false;
  }
}

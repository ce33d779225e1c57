import { sleep } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";

/** A wait that others can cut short. A ring before the wait counts, so that none is missed. */
export class Alarm {
  readonly #clock: Clock;
  #ringing = new AbortController();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Ends the wait under way, or the next one. */
  ring(): void {
    this.#ringing.abort();
  }

  /**
   * Resolves when it rings, after `ms` at the latest, or when the signal aborts, and says whether
   * it rang.
   */
  async wait(ms: number, signal: AbortSignal): Promise<boolean> {
    await sleep(this.#clock, ms, AbortSignal.any([signal, this.#ringing.signal]));
    const rang = this.#ringing.signal.aborted;
    if (rang) {
      this.#ringing = new AbortController();
    }
    return rang;
  }
}

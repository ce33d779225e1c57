import { once } from "node:events";
import type { Clock } from "./clock.ts";
import { sleep } from "./sleep.ts";

export interface PeriodicTaskOptions {
  readonly clock: Clock;
  /**
   * Does it once and tells in how many milliseconds to do it again; `undefined` means: not before
   * the next `poke`. Never rejects.
   */
  readonly run: (signal: AbortSignal) => Promise<number | undefined>;
}

/** Does one thing again and again, never twice at once, until it is closed. */
export class PeriodicTask {
  readonly #clock: Clock;
  readonly #run: (signal: AbortSignal) => Promise<number | undefined>;
  readonly #stop = new AbortController();
  #pause = new AbortController();
  #poked = false;
  #loop: Promise<void> | undefined;

  constructor({ clock, run }: PeriodicTaskOptions) {
    this.#clock = clock;
    this.#run = run;
  }

  /** Begins, at once. Idempotent. */
  open(): void {
    if (!this.#stop.signal.aborted) {
      this.#loop ??= this.#repeat();
    }
  }

  /** Has it done again without a pause: now, or as soon as what is running ends. */
  poke(): void {
    this.#poked = true;
    this.#pause.abort();
  }

  /** Aborts what is running and resolves when it has ended. Idempotent; there is no way back. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.#pause.abort();
    await this.#loop;
  }

  async #repeat(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      this.#poked = false;
      this.#pause = new AbortController();
      const delayMs = await this.#run(this.#stop.signal);
      if (this.#poked || this.#stop.signal.aborted) {
        continue;
      }
      await this.#rest(delayMs, this.#pause.signal);
    }
  }

  async #rest(delayMs: number | undefined, pause: AbortSignal): Promise<void> {
    if (delayMs !== undefined) {
      await sleep(this.#clock, delayMs, pause);
    } else if (!pause.aborted) {
      await once(pause, "abort");
    }
  }
}

import { once } from "node:events";
import type { Clock } from "./clock.ts";
import { sleep } from "./sleep.ts";

/** Where pauses end, on the monotonic clock: tasks share their wake-ups, and between them a process sleeps. */
const GRIDS = [
  { fromMs: 900, gridMs: 500 },
  { fromMs: 300, gridMs: 100 },
] as const;
/** By how much later than asked for a pause may end. */
const MAX_LATE_MS = 50;

export interface PeriodicTaskOptions {
  readonly clock: Clock;
  /**
   * Does it once and tells in how many milliseconds to do it again, by the grid of all tasks:
   * a pause may be half as long as that, and is never 50 ms longer. `undefined` means: not before
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
      await sleep(this.#clock, aligned(delayMs, this.#clock.monotonic()), pause);
    } else if (!pause.aborted) {
      await once(pause, "abort");
    }
  }
}

function aligned(delayMs: number, now: number): number {
  const grid = GRIDS.find(({ fromMs }) => delayMs >= fromMs);
  return grid === undefined
    ? delayMs
    : Math.floor((now + delayMs + MAX_LATE_MS) / grid.gridMs) * grid.gridMs - now;
}

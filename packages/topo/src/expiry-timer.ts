import type { Clock } from "./clock.ts";

export interface ExpiryTimerOptions {
  readonly clock: Clock;
  /** Ends what has expired by now and answers when the next thing expires, if any. */
  readonly sweep: (now: number) => number | undefined;
}

/** Sweeps when something expires: one timer for what expires next. */
export class ExpiryTimer {
  readonly #options: ExpiryTimerOptions;
  #sleeping = new AbortController();
  #stopped = false;

  constructor(options: ExpiryTimerOptions) {
    this.#options = options;
  }

  /** Sweeps now, and from then on by itself: to be called whenever an expiry was set or moved. */
  schedule(): void {
    if (this.#stopped) {
      return;
    }
    this.#sleeping.abort();
    this.#sleeping = new AbortController();
    const { clock, sweep } = this.#options;
    const next = sweep(clock.now());
    if (next !== undefined) {
      void this.#sweepAfter(next - clock.now(), this.#sleeping.signal);
    }
  }

  /** Stops for good. */
  stop(): void {
    this.#stopped = true;
    this.#sleeping.abort();
  }

  async #sweepAfter(ms: number, signal: AbortSignal): Promise<void> {
    await this.#options.clock.sleep(Math.max(1, ms), signal);
    if (!signal.aborted) {
      this.schedule();
    }
  }
}

import type { Clock, Timer } from "@multipooler/timing";

export interface ExpiryTimerOptions {
  readonly clock: Clock;
  /** Ends what has expired by now and answers when the next thing expires, if any. */
  readonly sweep: (now: number) => number | undefined;
}

/** Sweeps when something expires: one timer for what expires next. */
export class ExpiryTimer {
  readonly #options: ExpiryTimerOptions;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(options: ExpiryTimerOptions) {
    this.#options = options;
  }

  /** Sweeps now, and from then on by itself: to be called whenever an expiry was set or moved. */
  schedule(): void {
    if (this.#stopped) {
      return;
    }
    this.#timer?.cancel();
    const { clock, sweep } = this.#options;
    const next = sweep(clock.now());
    if (next !== undefined) {
      this.#timer = clock.setTimer(() => this.schedule(), Math.max(1, next - clock.now()));
    }
  }

  /** Stops for good. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }
}

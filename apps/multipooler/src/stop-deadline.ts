import type { Clock, Timer } from "@multipooler/timing";

export interface StopDeadlineOptions {
  readonly clock: Clock;
  /** Ends the process at once, with a line that says why. */
  readonly forceExit: (message: string) => void;
}

/**
 * The last resort for a stop that hangs: each of its stages has a time of its own, and what exceeds
 * it ends the process. Disposing it ends the watch.
 */
export class StopDeadline implements Disposable {
  readonly #options: StopDeadlineOptions;
  #timer: Timer | undefined;

  constructor(options: StopDeadlineOptions) {
    this.#options = options;
  }

  /** Begins a stage, and so ends the one before. */
  begin(setting: string, ms: number): void {
    const { clock, forceExit } = this.#options;
    this.#timer?.cancel();
    this.#timer = clock.setTimer(
      () => forceExit(`did not stop within ${ms} ms (--${setting}): exit without waiting`),
      ms,
    );
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel();
  }
}

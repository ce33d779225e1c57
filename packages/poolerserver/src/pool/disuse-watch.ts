import type { Clock, Timer } from "@multipooler/timing";

export interface DisuseWatchOptions {
  readonly clock: Clock;
  /** 0 switches it off. */
  readonly limitMs: number;
  /** Since when nothing is used, on the monotonic clock; `undefined` while something is, or there is nothing. */
  readonly unusedSince: () => number | undefined;
  readonly onDisused: () => void;
}

/** Notices that nothing of a pool was used for a time. */
export class DisuseWatch {
  readonly #options: DisuseWatchOptions;
  #timer: Timer | undefined;

  constructor(options: DisuseWatchOptions) {
    this.#options = options;
  }

  /** Something is not used any more. Costs nothing while the watch is on. */
  noteUnused(): void {
    if (this.#timer === undefined && this.#options.limitMs > 0) {
      this.#arm(this.#options.limitMs);
    }
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(delayMs: number): void {
    this.#timer = this.#options.clock.setTimer(() => this.#look(), delayMs);
  }

  /** What is used now is noted when it is not any more. */
  #look(): void {
    this.#timer = undefined;
    const { clock, limitMs, unusedSince, onDisused } = this.#options;
    const since = unusedSince();
    if (since === undefined) {
      return;
    }
    const leftMs = since + limitMs - clock.monotonic();
    if (leftMs > 0) {
      this.#arm(leftMs);
    } else {
      onDisused();
    }
  }
}

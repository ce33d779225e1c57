import type { Clock, Timer } from "@multipooler/timing";

interface Entry<T> {
  readonly item: T;
  readonly since: number;
}

/**
 * Items that nobody uses. The one that came last is taken first, so that the others can grow old;
 * those that stayed for the time limit are handed to `onExpired`.
 */
export class IdleStack<T> {
  readonly #clock: Clock;
  /** 0: no limit. */
  readonly #limitMs: number;
  readonly #onExpired: (item: T) => void;
  /** Oldest first. */
  #entries: Entry<T>[] = [];
  #timer: Timer | undefined;

  constructor(options: {
    readonly clock: Clock;
    readonly limitMs: number;
    readonly onExpired: (item: T) => void;
  }) {
    this.#clock = options.clock;
    this.#limitMs = options.limitMs;
    this.#onExpired = options.onExpired;
  }

  push(item: T): void {
    this.#entries.push({ item, since: this.#clock.monotonic() });
    this.#arm();
  }

  pop(): T | undefined {
    return this.#entries.pop()?.item;
  }

  /** Takes out `item`, if it is here. */
  remove(item: T): void {
    this.#entries = this.#entries.filter((entry) => entry.item !== item);
  }

  /** Takes out all of them and ends the timer. */
  clear(): T[] {
    const items = this.#entries.map(({ item }) => item);
    this.#entries = [];
    this.#timer?.cancel();
    this.#timer = undefined;
    return items;
  }

  #arm(): void {
    const [oldest] = this.#entries;
    if (this.#limitMs === 0 || this.#timer !== undefined || oldest === undefined) {
      return;
    }
    const delayMs = oldest.since + this.#limitMs - this.#clock.monotonic();
    this.#timer = this.#clock.setTimer(() => {
      this.#timer = undefined;
      this.#expire();
      this.#arm();
    }, delayMs);
  }

  #expire(): void {
    const limit = this.#clock.monotonic() - this.#limitMs;
    for (;;) {
      const [oldest] = this.#entries;
      if (oldest === undefined || oldest.since > limit) {
        return;
      }
      this.#entries.shift();
      this.#onExpired(oldest.item);
    }
  }
}

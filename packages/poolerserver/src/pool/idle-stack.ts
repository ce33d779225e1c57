import type { Clock, Timer } from "@multipooler/timing";

/** Something that can lie in an {@link IdleStack}, which notes there since when it does. */
export interface Idler {
  idleSince: number;
}

export interface IdleStackOptions<T> {
  readonly clock: Clock;
  /** How long one may stay, read when it is needed; 0: no limit. */
  readonly limitMs: number;
  readonly onExpired: (item: T) => void;
}

/**
 * What nobody uses. The one that came last is taken first, so that the others can grow old; those
 * that stayed for the time limit are handed to `onExpired`.
 */
export class IdleStack<T extends Idler> {
  readonly #options: IdleStackOptions<T>;
  /** Oldest first. */
  #items: T[] = [];
  #timer: Timer | undefined;

  constructor(options: IdleStackOptions<T>) {
    this.#options = options;
  }

  /** What {@link pop} would take. */
  get top(): T | undefined {
    return this.#items.at(-1);
  }

  /** What would be last to be taken. */
  get oldest(): T | undefined {
    return this.#items[0];
  }

  get size(): number {
    return this.#items.length;
  }

  /** From the one that came last to the oldest; the stack must not change meanwhile. */
  *[Symbol.iterator](): Iterator<T> {
    for (let index = this.#items.length - 1; index >= 0; index -= 1) {
      const item = this.#items[index];
      if (item !== undefined) {
        yield item;
      }
    }
  }

  /** @param now the monotonic time */
  push(item: T, now: number): void {
    item.idleSince = now;
    this.#items.push(item);
    if (this.#timer === undefined) {
      this.#arm();
    }
  }

  pop(): T | undefined {
    return this.#items.pop();
  }

  /** Takes out `item`, if it is here. */
  remove(item: T): void {
    if (this.top === item) {
      this.#items.pop();
      return;
    }
    const index = this.#items.indexOf(item);
    if (index !== -1) {
      this.#items.splice(index, 1);
    }
  }

  /** Takes out all of them and ends the timer. */
  clear(): T[] {
    const items = this.#items;
    this.#items = [];
    this.#timer?.cancel();
    this.#timer = undefined;
    return items;
  }

  /** The limit of the options has changed, for those too that are here. */
  limitChanged(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#arm();
  }

  #arm(): void {
    const { clock, limitMs } = this.#options;
    const [oldest] = this.#items;
    if (limitMs === 0 || this.#timer !== undefined || oldest === undefined) {
      return;
    }
    const delayMs = Math.max(0, oldest.idleSince + limitMs - clock.monotonic());
    this.#timer = clock.setTimer(() => {
      this.#timer = undefined;
      this.#expire();
      this.#arm();
    }, delayMs);
  }

  #expire(): void {
    const { clock, limitMs, onExpired } = this.#options;
    const limit = clock.monotonic() - limitMs;
    for (;;) {
      const [oldest] = this.#items;
      if (oldest === undefined || oldest.idleSince > limit) {
        return;
      }
      this.#items.shift();
      onExpired(oldest);
    }
  }
}

import { setImmediate as turn } from "node:timers/promises";
import type { Clock } from "../clock.ts";

interface Sleeper {
  readonly wakesAt: number;
  readonly wake: () => void;
}

/** A clock that stands still until it is moved. */
export class ManualClock implements Clock {
  #now: number;
  readonly #sleepers = new Set<Sleeper>();

  /** `startsAt` is in milliseconds since the epoch. */
  constructor({ startsAt = 0 }: { readonly startsAt?: number } = {}) {
    this.#now = startsAt;
  }

  /** How many sleep: 0 where nothing was left behind. */
  get sleeping(): number {
    return this.#sleepers.size;
  }

  now(): number {
    return this.#now;
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) {
      return;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = (): void => {
      this.#sleepers.delete(sleeper);
      resolve();
    };
    const sleeper = { wakesAt: this.#now + ms, wake };
    this.#sleepers.add(sleeper);
    signal.addEventListener("abort", wake, { once: true });
    await promise;
    signal.removeEventListener("abort", wake);
  }

  /** Moves time on, waking each sleeper at its time and letting it do what it does next. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await turn();
    for (;;) {
      const [next] = [...this.#sleepers].toSorted((a, b) => a.wakesAt - b.wakesAt);
      if (next === undefined || next.wakesAt > end) {
        break;
      }
      this.#now = Math.max(this.#now, next.wakesAt);
      next.wake();
      await turn();
    }
    this.#now = end;
  }
}

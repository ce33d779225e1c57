import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock } from "../src/clock.ts";

interface Sleeper {
  readonly dueAt: number;
  readonly wake: () => void;
}

/** A clock that stands still until a test moves it. */
export class ManualClock implements Clock {
  #now: number;
  readonly #sleepers = new Set<Sleeper>();

  constructor(now: number = Date.UTC(2026, 0, 1)) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (signal.aborted) {
      resolve();
      return promise;
    }
    const wake = (): void => {
      this.#sleepers.delete(sleeper);
      signal.removeEventListener("abort", wake);
      resolve();
    };
    const sleeper: Sleeper = { dueAt: this.#now + ms, wake };
    this.#sleepers.add(sleeper);
    signal.addEventListener("abort", wake);
    return promise;
  }

  /** How many wait for the clock. */
  get waiting(): number {
    return this.#sleepers.size;
  }

  /** Moves the clock and wakes, in their order, those whose time comes; each acts before the next. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await nextTurn();
    for (;;) {
      const due = [...this.#sleepers]
        .filter((sleeper) => sleeper.dueAt <= end)
        .toSorted((a, b) => a.dueAt - b.dueAt)[0];
      if (due === undefined) {
        break;
      }
      this.#now = Math.max(this.#now, due.dueAt);
      due.wake();
      await nextTurn();
    }
    this.#now = end;
    await nextTurn();
  }
}

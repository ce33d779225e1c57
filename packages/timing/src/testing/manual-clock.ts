import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock, Timer } from "../clock.ts";

export interface ManualClockOptions {
  /** The wall time that it starts at, in milliseconds since the Unix epoch. Default: 2026. */
  readonly startsAt?: number | undefined;
}

interface Entry {
  readonly dueAt: number;
  readonly callback: () => void;
}

/**
 * A clock that stands still until a test moves it. Its monotonic time starts at 0, far from its
 * wall time, so that a confusion of the two shows.
 */
export class ManualClock implements Clock {
  #wallOffset: number;
  #monotonic = 0;
  readonly #entries = new Set<Entry>();

  constructor({ startsAt = Date.UTC(2026, 0, 1) }: ManualClockOptions = {}) {
    this.#wallOffset = startsAt;
  }

  /** How many timers are set: 0 where nothing was left behind. */
  get pending(): number {
    return this.#entries.size;
  }

  now(): number {
    return this.#wallOffset + this.#monotonic;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    const entry: Entry = { dueAt: this.#monotonic + delayMs, callback };
    this.#entries.add(entry);
    return { cancel: () => void this.#entries.delete(entry) };
  }

  /**
   * Moves time on and calls, in their order, the timers that become due. Each call, and all that
   * follows from it, is over before the next; so is what was under way before.
   */
  async advance(ms: number): Promise<void> {
    const end = this.#monotonic + ms;
    await nextTurn();
    while (this.#callNext(end)) {
      await nextTurn();
    }
    this.#monotonic = end;
    await nextTurn();
  }

  /** As `advance`, but in one go: promises that the timers settle are seen after the last call. */
  step(ms: number): void {
    const end = this.#monotonic + ms;
    while (this.#callNext(end)) {
      // The next timer may have been set by this one.
    }
    this.#monotonic = end;
  }

  /** Sets the wall time alone: forward, or back for a negative number. */
  shiftWallTime(ms: number): void {
    this.#wallOffset += ms;
  }

  #callNext(end: number): boolean {
    const [next] = [...this.#entries].toSorted((a, b) => a.dueAt - b.dueAt);
    if (next === undefined || next.dueAt > end) {
      return false;
    }
    this.#entries.delete(next);
    this.#monotonic = Math.max(this.#monotonic, next.dueAt);
    next.callback();
    return true;
  }
}

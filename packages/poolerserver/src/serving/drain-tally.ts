import type { DrainTotals } from "@multipooler/controller-api";
import type { Drain } from "./drain.ts";

/** Counts how drains ended, and for how long they took. */
export class DrainTally {
  #totals: DrainTotals = {
    completed: 0,
    cut: 0,
    reversed: 0,
    aborted: 0,
    cutRequests: 0,
    longestMs: 0,
    totalMs: 0,
  };

  get totals(): DrainTotals {
    return this.#totals;
  }

  /** Counts one that has ended. */
  add({ outcome, cutRequests, durationMs }: Drain): void {
    const totals = this.#totals;
    this.#totals = {
      ...totals,
      [outcome]: totals[outcome] + 1,
      cutRequests: totals.cutRequests + cutRequests,
      longestMs: Math.max(totals.longestMs, durationMs),
      totalMs: totals.totalMs + durationMs,
    };
  }
}

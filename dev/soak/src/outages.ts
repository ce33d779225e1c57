import { setTimeout as elapsed } from "node:timers/promises";
import type { Weather } from "./error-counts.ts";
import type { Stalls } from "./stalls.ts";
import { untilReady } from "./stand.ts";
import type { Stand } from "./stand.ts";

/** What was sent to PostgreSQL before may still fail for so long after it is back. */
const AFTERMATH_MS = 15_000;

/** Restarts PostgreSQL now and then, and knows when it did, and when it was not itself besides. */
export class Outages {
  readonly #stand: Stand;
  readonly #stalls: Stalls;
  #count = 0;
  /** The last one ended then; it has not if this is in the future. */
  #until = Number.NEGATIVE_INFINITY;

  constructor(stand: Stand, stalls: Stalls) {
    this.#stand = stand;
    this.#stalls = stalls;
  }

  get count(): number {
    return this.#count;
  }

  /** What it was like since then; `since` on the clock of `performance.now()`. */
  weatherSince(since: number): Weather {
    if (since < this.#until) {
      return "outage";
    }
    return this.#stalls.hasBeenSince(since) ? "stall" : "calm";
  }

  /** Restarts PostgreSQL at this interval until the signal aborts. */
  async run(intervalMs: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      await elapsed(intervalMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) {
        return;
      }
      await this.#restart();
    }
  }

  /** In good order and by force in turn. */
  async #restart(): Promise<void> {
    const { postgres } = this.#stand;
    this.#until = Number.POSITIVE_INFINITY;
    this.#count += 1;
    if (this.#count % 2 === 0) {
      await postgres.kill();
    } else {
      await postgres.stop("fast");
    }
    await postgres.start();
    await untilReady(this.#stand);
    this.#until = performance.now() + AFTERMATH_MS;
  }
}

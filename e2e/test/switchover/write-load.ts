import { setTimeout } from "node:timers/promises";
import type { PoolerClient } from "@multipooler/grpc-services/client";
import { Mode } from "@multipooler/proto/query";

/** A write that was acknowledged, and when, in milliseconds of the monotonic clock. */
export interface Acknowledged {
  readonly id: number;
  readonly at: number;
}

/** A pooler, or the next one of its name. */
export interface WrittenPooler {
  readonly client: PoolerClient;
}

/** How long a write may wait for a standby before its client gives up on it. */
const WRITE_TIMEOUT_MS = 10_000;
const RETRY_MS = 5;

/** Writes one row after the other to whichever pooler takes writes, as a client that fails over. */
export class WriteLoad implements AsyncDisposable {
  readonly acknowledged: Acknowledged[] = [];
  readonly #poolers: readonly WrittenPooler[];
  readonly #pauseMs: number;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  /**
   * Ids begin with `first`, so that two loads never write the same one.
   *
   * @param pauseMs between two writes, for a load that leaves the machine to others.
   */
  constructor(poolers: readonly WrittenPooler[], first: number, pauseMs = 0) {
    this.#poolers = poolers;
    this.#pauseMs = pauseMs;
    this.#running = this.#run(first);
  }

  /** The longest time without an acknowledged write that ended after `since`. */
  longestGapMs(since: number): number {
    const times = this.acknowledged.map(({ at }) => at);
    return times.reduce((longest, at, index) => {
      const before = times[index - 1];
      return before === undefined || at < since ? longest : Math.max(longest, at - before);
    }, 0);
  }

  /** No further write is begun; resolves when none is under way. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #run(first: number): Promise<void> {
    let turn = 0;
    for (let id = first; !this.#stop.signal.aborted; id += 1) {
      const pooler = this.#poolers[turn % this.#poolers.length];
      try {
        await pooler?.client.executeQuery(
          { query: `insert into kept values (${id})`, target: { mode: Mode.MODE_WRITABLE } },
          { timeoutMs: WRITE_TIMEOUT_MS },
        );
        this.acknowledged.push({ id, at: performance.now() });
        if (this.#pauseMs > 0) {
          await setTimeout(this.#pauseMs);
        }
      } catch {
        turn += 1;
        await setTimeout(RETRY_MS);
      }
    }
  }
}

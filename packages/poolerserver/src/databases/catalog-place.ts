import { PoolerErrorCode } from "@multipooler/query-service";
import { untilAborted } from "../abort.ts";
import { MultiPoolerError, abortError } from "../error.ts";
import { takePlace } from "../pool/single-place.ts";
import type { SinglePlace } from "../pool/single-place.ts";
import type { PlaceBeside, UserBudget } from "../pool/user-budget.ts";

/**
 * The place for reading catalogs, beside those that clients can take: it is taken before the first
 * reading, and kept until `release`. One reads at a time.
 */
export class CatalogPlace {
  readonly #budget: UserBudget;
  #beside: PlaceBeside | undefined;
  #place: SinglePlace | undefined;
  /** Never rejects; resolves when those have read who came first. */
  #turn: Promise<void> = Promise.resolve();

  constructor(budget: UserBudget) {
    this.#budget = budget;
  }

  /**
   * Does `work` when nobody else reads and there is a place. Rejects as that does; with the signal's
   * reason; or with POOL_EXHAUSTED where statements would have no connection left.
   */
  async use(work: () => Promise<void>, signal: AbortSignal): Promise<void> {
    const before = this.#turn;
    const over = Promise.withResolvers<void>();
    this.#turn = before.then(() => over.promise);
    try {
      await untilAborted(before, signal);
      await this.#take(signal);
      await work();
    } finally {
      over.resolve();
    }
  }

  /** Gives the place back, while nobody reads. Idempotent. */
  release(): void {
    this.#place?.release();
    this.#place = undefined;
    this.#beside?.end();
    this.#beside = undefined;
  }

  async #take(signal: AbortSignal): Promise<void> {
    if (this.#place !== undefined) {
      return;
    }
    this.#beside ??= this.#budget.openBeside();
    if (this.#beside === undefined) {
      throw noRoomError();
    }
    const place = await takePlace(this.#beside, { signal });
    if (signal.aborted) {
      place.release();
      throw abortError(signal);
    }
    this.#place = place;
  }
}

function noRoomError(): MultiPoolerError {
  return new MultiPoolerError(
    PoolerErrorCode.PoolExhausted,
    "reading the catalog of a further database needs a connection of its own, and statements would have " +
      "none left of those that the server grants; raise its max_connections",
  );
}

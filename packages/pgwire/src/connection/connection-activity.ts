import { BucketCounts } from "@multipooler/timing";
import { ErrorCounts } from "./error-counts.ts";

/** Upper bounds of what is counted together, in milliseconds. What takes longer than the last is counted too. */
export const ANSWER_TIME_BOUNDS_MS: readonly number[] = [
  0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000,
];

/** Upper bounds of numbers of rows that are counted together. */
export const ROW_COUNT_BOUNDS: readonly number[] = [0, 1, 5, 10, 50, 100, 500, 1000, 5000, 10_000];

/** What a connection has done since its session stands. Durations in milliseconds, by {@link instant}. */
export interface ActivityFigures {
  /** Requests that the server has answered. */
  readonly requests: number;
  /** Transactions that have ended; a statement outside of a block is one. */
  readonly transactions: number;
  /** How long the server had something to answer. */
  readonly busyMs: number;
  /** How long transactions took, with the time that the server waited for the client in them. */
  readonly transactionMs: number;
  /** Errors that the server has answered with, by `ErrorCounts`. Changes in place. */
  readonly errors: ReadonlyMap<string, number>;
  /** Of the requests how many took how long, by `ANSWER_TIME_BOUNDS_MS`. Changes in place. */
  readonly answerTimes: ArrayLike<number>;
  /** The same of those that were answered with an error. */
  readonly failedTimes: ArrayLike<number>;
  /** How long these took. */
  readonly failedMs: number;
  /** Of the requests how many had how many rows, by `ROW_COUNT_BOUNDS`. Changes in place. */
  readonly rowCounts: ArrayLike<number>;
  /** Rows that the server has sent. */
  readonly rows: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** When the last request was made while none was in flight; milliseconds since the epoch, or 0. */
  readonly requestedAt: number;
}

const TICKS_PER_MS = 1024;

/**
 * The time in whole ticks of about a microsecond, as milliseconds. Sums and differences of such durations
 * are exact in floating point, so that what is left of a sum after taking out a part never gets less: a
 * metric that falls by a rounding error would be taken for one that began again.
 */
function instant(): number {
  return Math.round(performance.now() * TICKS_PER_MS) / TICKS_PER_MS;
}

/** Counts the requests of a connection: two looks at the clock for each that is alone, else one. */
export class ConnectionActivity {
  #requests = 0;
  #transactions = 0;
  #transactionMs = 0;
  readonly #errors = new ErrorCounts();
  readonly #answerTimes = new BucketCounts(ANSWER_TIME_BOUNDS_MS);
  readonly #failedTimes = new BucketCounts(ANSWER_TIME_BOUNDS_MS);
  readonly #rowCounts = new BucketCounts(ROW_COUNT_BOUNDS);
  /** Of the request that is being answered, as `#hasFailed`. */
  #rows = 0;
  #hasFailed = false;
  #busySince = 0;
  #transactionSince = 0;

  /** As of now. */
  get figures(): Omit<ActivityFigures, "bytesSent" | "bytesReceived"> {
    return {
      requests: this.#requests,
      transactions: this.#transactions,
      busyMs: this.#answerTimes.sum,
      transactionMs: this.#transactionMs,
      errors: this.#errors.counts,
      answerTimes: this.#answerTimes.counts,
      failedTimes: this.#failedTimes.counts,
      failedMs: this.#failedTimes.sum,
      rowCounts: this.#rowCounts.counts,
      rows: this.#rowCounts.sum,
      requestedAt: this.#busySince === 0 ? 0 : performance.timeOrigin + this.#busySince,
    };
  }

  /** The server has answered with an error. */
  failed(sqlstate: string): void {
    this.#errors.note(sqlstate);
    this.#hasFailed = true;
  }

  /** The server has answered with rows. */
  received(rows: number): void {
    this.#rows += rows;
  }

  /** A request is made while none is in flight. */
  begin({ isInTransaction }: { readonly isInTransaction: boolean }): void {
    const now = instant();
    this.#busySince = now;
    if (!isInTransaction) {
      this.#transactionSince = now;
    }
  }

  /** The server is through with a request; if others are in flight it turns to the next one now. */
  answered({ isInTransaction }: { readonly isInTransaction: boolean }): void {
    const now = instant();
    const ms = now - this.#busySince;
    this.#requests += 1;
    this.#answerTimes.note(ms);
    this.#rowCounts.note(this.#rows);
    this.#rows = 0;
    if (this.#hasFailed) {
      this.#hasFailed = false;
      this.#failedTimes.note(ms);
    }
    this.#busySince = now;
    if (!isInTransaction) {
      this.#transactions += 1;
      this.#transactionMs += now - this.#transactionSince;
      this.#transactionSince = now;
    }
  }
}

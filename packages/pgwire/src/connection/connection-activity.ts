import { AnswerTimes } from "./answer-times.ts";
import { ErrorCounts } from "./error-counts.ts";

/** What a connection has done since its session stands. Durations in milliseconds. */
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
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** When the last request was made while none was in flight; milliseconds since the epoch, or 0. */
  readonly requestedAt: number;
}

/** Counts the requests of a connection: two looks at the clock for each that is alone, else one. */
export class ConnectionActivity {
  #requests = 0;
  #transactions = 0;
  #busyMs = 0;
  #transactionMs = 0;
  readonly #errors = new ErrorCounts();
  readonly #answerTimes = new AnswerTimes();
  #busySince = 0;
  #transactionSince = 0;

  get requests(): number {
    return this.#requests;
  }

  get transactions(): number {
    return this.#transactions;
  }

  get busyMs(): number {
    return this.#busyMs;
  }

  get transactionMs(): number {
    return this.#transactionMs;
  }

  get errors(): ReadonlyMap<string, number> {
    return this.#errors.counts;
  }

  get answerTimes(): ArrayLike<number> {
    return this.#answerTimes.counts;
  }

  /** See {@link ActivityFigures}. */
  get requestedAt(): number {
    return this.#busySince === 0 ? 0 : performance.timeOrigin + this.#busySince;
  }

  /** The server has answered with an error. */
  failed(sqlstate: string): void {
    this.#errors.note(sqlstate);
  }

  /** A request is made while none is in flight. */
  begin({ isInTransaction }: { readonly isInTransaction: boolean }): void {
    const now = performance.now();
    this.#busySince = now;
    if (!isInTransaction) {
      this.#transactionSince = now;
    }
  }

  /** The server is through with a request; if others are in flight it turns to the next one now. */
  answered({ isInTransaction }: { readonly isInTransaction: boolean }): void {
    const now = performance.now();
    this.#requests += 1;
    this.#busyMs += now - this.#busySince;
    this.#answerTimes.note(now - this.#busySince);
    this.#busySince = now;
    if (!isInTransaction) {
      this.#transactions += 1;
      this.#transactionMs += now - this.#transactionSince;
      this.#transactionSince = now;
    }
  }
}

import type { RequestEnd, SpanRequest } from "@multipooler/pgwire";
import { encodeQuery } from "../input/frontend-message.ts";

/** Parses, and fails when it is run, so that the transaction before it has begun. */
const QUERY: Buffer = encodeQuery(
  'BEGIN; ROLLBACK TO SAVEPOINT "the statement before was refused by the connection pooler"',
);

/** Goes before a unit, and brings its backend into a transaction that has failed. */
export class FailedTransaction implements SpanRequest {
  readonly answer = "spans";
  readonly byteLength: number = QUERY.length;
  readonly #onDone: () => void;
  /** Told how it ended: well with the one error that it means to get. */
  onSettled: ((end: RequestEnd) => void) | undefined;

  /** @param onDone the backend is in that transaction */
  constructor(onDone: () => void) {
    this.#onDone = onDone;
  }

  writeTo(target: Buffer, start: number): number {
    return start + QUERY.copy(target, start);
  }

  span(): boolean {
    return true;
  }

  settle(end: RequestEnd): void {
    if (end.type === "ready" && end.transactionStatus === "E") {
      this.#onDone();
      this.onSettled?.({ ...end, error: undefined });
    } else {
      this.onSettled?.(end);
    }
  }
}

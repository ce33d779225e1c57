import type { PgwireError } from "@multipooler/pgwire";
import type { ResultEvent } from "@multipooler/query-service";

export type TransactionStatus = "I" | "T" | "E";

interface RequestBytes {
  readonly byteLength: number;
  writeTo(target: Buffer, start: number): number;
  settle(end: RequestEnd): void;
}
export interface EventRequest extends RequestBytes {
  readonly answer: "events";
  event(event: ResultEvent): Promise<void> | undefined;
}
export interface SpanRequest extends RequestBytes {
  readonly answer: "spans";
  span(bytes: Uint8Array): boolean;
}
export type Request = EventRequest | SpanRequest;
export type RequestEnd =
  | {
      readonly type: "ready";
      readonly transactionStatus: TransactionStatus;
      readonly error: PgwireError | undefined;
      readonly settingsReported: boolean;
    }
  | {
      readonly type: "sinkFailed";
      readonly cause: unknown;
      readonly transactionStatus: TransactionStatus;
      readonly settingsReported: boolean;
    }
  | { readonly type: "lost"; readonly error: PgwireError };

export interface EventReceiver {
  event(event: ResultEvent): Promise<void> | undefined;
  settle(end: RequestEnd): void;
}

export class SimpleQuery implements EventRequest {
  readonly answer = "events";
  readonly #sql: string;
  readonly #receiver: EventReceiver;
  readonly byteLength: number;
  constructor(sql: string, receiver: EventReceiver) {
    this.#sql = sql;
    this.#receiver = receiver;
    this.byteLength = Buffer.byteLength(sql) + 6;
  }
  writeTo(target: Buffer, start: number): number {
    target[start] = 0x51;
    target.writeInt32BE(this.byteLength - 1, start + 1);
    const end = start + 5 + target.write(this.#sql, start + 5);
    target[end] = 0;
    return end + 1;
  }
  event(event: ResultEvent): Promise<void> | undefined {
    return this.#receiver.event(event);
  }
  settle(end: RequestEnd): void {
    this.#receiver.settle(end);
  }
}

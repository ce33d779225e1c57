import type { ResultEvent } from "@multipooler/query-service";
import type { EventRequest, RequestEnd } from "../connection/request.ts";
import { PgwireError, PgwireErrorCode } from "../error.ts";
import { queryBytes, writeQuery } from "../messages/message-writer.ts";

/** Takes an answer as events: see the members of {@link EventRequest} of these names. */
export type EventReceiver = Pick<
  EventRequest,
  "event" | "settle" | "step" | "described" | "notified"
>;

/** One query string of the simple protocol, answered as events. */
export class SimpleQuery implements EventRequest {
  readonly answer = "events";
  readonly byteLength: number;
  readonly #sql: string;
  readonly #receiver: EventReceiver;

  /** @throws INVALID_ARGUMENT for a NUL character */
  constructor(options: { readonly sql: string; readonly receiver: EventReceiver }) {
    const { sql, receiver } = options;
    if (sql.includes("\0")) {
      throw new PgwireError(PgwireErrorCode.InvalidArgument, "a query cannot hold a NUL character");
    }
    this.#sql = sql;
    this.#receiver = receiver;
    this.byteLength = queryBytes(sql);
  }

  writeTo(target: Buffer, start: number): number {
    return writeQuery(target, start, this.#sql);
  }

  event(event: ResultEvent): Promise<void> | undefined {
    return this.#receiver.event(event);
  }

  settle(end: RequestEnd): void {
    this.#receiver.settle(end);
  }

  notified(message: Uint8Array): void {
    this.#receiver.notified?.(message);
  }
}

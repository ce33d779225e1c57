import type { ResultEvent } from "@multipooler/query-service";
import type { CopyEvent } from "./answer-event.ts";
import type { PgwireError } from "../error.ts";
import type { TransactionStatus } from "../messages/transaction-status.ts";

/**
 * What to send on a connection, and what takes the answer. Exactly one ReadyForQuery answers it.
 *
 * A request is the caller's object: the connection keeps a reference and allocates nothing else for
 * it. None of its functions but `event` and `span` may throw.
 */
export type Request = EventRequest | SpanRequest;

interface RequestBytes {
  /** The number of bytes that `writeTo` writes. Constant. */
  readonly byteLength: number;
  /**
   * Writes the frontend messages: one Query, or everything up to and including one Sync. Returns
   * where they end in `target`.
   */
  writeTo(target: Buffer, start: number): number;
  /**
   * The end of the request: called once, unless it was withdrawn, and never from inside `send`. The
   * connection takes the next request here.
   */
  settle(end: RequestEnd): void;
  /** The server takes bytes again after `feed` returned false. */
  drained?(): void;
}

/** From the client, or to it. */
export type CopyWay = "in" | "out";

/** Takes what a COPY yields. */
export interface CopyTaker {
  readonly way: CopyWay;
  /** As `event` of {@link EventRequest}. */
  event(event: CopyEvent): Promise<void> | undefined;
}

/**
 * A request whose answer is read as events. A COPY from or to the client that it does not take is
 * ended, and the request fails with UNSUPPORTED.
 */
export interface EventRequest extends RequestBytes {
  readonly answer: "events";
  /**
   * Takes one event. A promise says that the receiver is behind: it is not called again until that
   * resolves, while up to 256 KiB of further answers are kept and the rest is not read. When it
   * throws or rejects, the rest of the answer is read and dropped, and `settle` says so: `cancel`
   * what may be long.
   */
  event(event: ResultEvent): Promise<void> | undefined;
  /** A Parse or a Bind of the request has succeeded; also while it is behind with its events. */
  step?(step: ExtendedStep): void;
  /** Takes the ParameterDescription of a statement that the request describes. */
  described?(parameters: Uint8Array): void;
  /** Takes a NotificationResponse that comes with the answer; without this it is dropped. */
  notified?(message: Uint8Array): void;
  /** For one COPY from or to the client, in the simple protocol. */
  readonly copy?: CopyTaker | undefined;
}

/** What the server has done of a request of the extended protocol. */
export type ExtendedStep = "parsed" | "bound";

/** A request whose answer is passed on as bytes, ReadyForQuery included. */
export interface SpanRequest extends RequestBytes {
  readonly answer: "spans";
  /**
   * Takes the next bytes of the answer, a view that is not written to again. It may end inside a
   * message. The error with which the server ends the session is not passed on: it is in `settle`.
   *
   * False says that the receiver is behind: nothing more is read until `resume`, unless other
   * requests are in flight on the connection; then bytes keep coming. When it throws, the rest of
   * the answer is dropped, and `settle` says so.
   */
  span(bytes: Uint8Array): boolean;
  /**
   * Whether the message that begins now is passed on; without it, all are. Asked for every type but
   * DataRow, CopyData, ErrorResponse, ParameterStatus and ReadyForQuery.
   */
  message?(code: number): boolean;
  /**
   * The server reports a setting, which is not passed on then: it is for the request to tell. What
   * came before it was passed on. Without it, all reports are passed on but those that a prelude
   * expects.
   */
  reported?(name: string, value: string): void;
  /** The first error of the answer came, and is about to be passed on. */
  failing?(error: PgwireError): void;
}

/**
 * The end of a request:
 *
 * | type       | means                                                              | the connection |
 * | ---------- | ------------------------------------------------------------------ | -------------- |
 * | ready      | ReadyForQuery came, and the receiver has taken everything          | takes requests |
 * | sinkFailed | ReadyForQuery came, and the receiver failed with `cause` before    | takes requests |
 * | lost       | the answer is not complete; `error.sent`: the server may have seen the request | is of no use |
 */
export type RequestEnd =
  | ({ readonly type: "ready" } & AnswerEnd)
  | ({ readonly type: "sinkFailed"; readonly cause: unknown } & AnswerEnd)
  /** CONNECTION_LOST, CLOSED, or POSTGRES with the error that the server had sent before. */
  | { readonly type: "lost"; readonly error: PgwireError };

/** The parts of a complete answer that the connection reads itself. */
export interface AnswerEnd {
  readonly transactionStatus: TransactionStatus;
  /** The first error of the answer: POSTGRES, or UNSUPPORTED for a COPY. */
  readonly error: PgwireError | undefined;
  /** The server reported a setting (ParameterStatus) during the answer. */
  readonly settingsReported: boolean;
}

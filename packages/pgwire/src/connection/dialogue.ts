import { decodeDiagnostic } from "@multipooler/query-service";
import { PgwireErrorCode, protocolViolation } from "../error.ts";
import type { PgwireError } from "../error.ts";
import { encodeReadyForQuery } from "../client/ready-for-query.ts";
import type { ByteInput } from "../messages/byte-input.ts";
import { MessageReader } from "../messages/message-reader.ts";
import { encodeQuery, encodeSync } from "../messages/message-writer.ts";
import { BackendMessage, messageTypeName } from "../messages/protocol.ts";
import { SpanReader } from "../messages/span-reader.ts";
import { parseTransactionStatus } from "../messages/transaction-status.ts";
import type { TransactionStatus } from "../messages/transaction-status.ts";
import type { Session } from "../startup/startup.ts";
import type { Answer } from "./answer.ts";
import type { ConnectionActivity } from "./connection-activity.ts";
import type { PreludeRun } from "./prelude.ts";
import type { EventRequest, Request, SpanRequest } from "./request.ts";
import type { RequestQueue } from "./request-queue.ts";
import { serverError } from "./server-error.ts";
import type { ServerParameters } from "./server-parameters.ts";

/** The parts of a connection that a {@link Dialogue} brings together. */
export interface DialogueOptions {
  readonly input: ByteInput;
  readonly maxMessageBytes: number;
  readonly queue: RequestQueue;
  readonly answer: Answer;
  readonly activity: ConnectionActivity;
  readonly session: Session;
  /** Takes a message that came between requests. */
  readonly unasked: (message: Uint8Array) => void;
}

/**
 * Reads what the server says and hands it to the request that is running, as events or as spans.
 * The state of the session is kept here.
 */
export class Dialogue {
  readonly #queue: RequestQueue;
  readonly #reader: MessageReader;
  readonly #spans: SpanReader;
  readonly #answer: Answer;
  readonly #activity: ConnectionActivity;
  readonly #unasked: (message: Uint8Array) => void;
  readonly #parameters: ServerParameters;
  #transactionStatus: TransactionStatus;
  /** Which of the two reads the message that has begun, or the next. */
  #readsSpans = false;
  /** Of the request that is running. */
  #prelude: PreludeRun | undefined;
  #isStopped = false;

  constructor(options: DialogueOptions) {
    const { input, maxMessageBytes, queue, answer, activity, session, unasked } = options;
    this.#unasked = unasked;
    this.#queue = queue;
    this.#reader = new MessageReader({ input, maxMessageBytes });
    this.#spans = new SpanReader({ input, maxMessageBytes });
    this.#answer = answer;
    this.#activity = activity;
    this.#parameters = session.parameters;
    this.#transactionStatus = session.transactionStatus;
  }

  get parameters(): ReadonlyMap<string, string> {
    return this.#parameters.values;
  }

  get transactionStatus(): TransactionStatus {
    return this.#transactionStatus;
  }

  /** Whether nothing of a message has begun to arrive. */
  get atBoundary(): boolean {
    return this.#reader.atBoundary && this.#spans.isBetweenMessages;
  }

  /**
   * Reads what has arrived. Returns false when a receiver is behind and no more is to be read.
   *
   * @throws CONNECTION_LOST when the server says that it ends the session, PROTOCOL_VIOLATION,
   * MalformedMessageError.
   */
  read(): boolean {
    while (!this.#isStopped && !this.#answer.isSpillFull) {
      const { running } = this.#queue;
      if (this.#reader.isBetweenMessages && this.#spans.isBetweenMessages) {
        this.#prelude = this.#queue.prelude;
        this.#readsSpans = running?.answer === "spans" && this.#prelude?.isReading !== true;
      }
      if (!this.#readNext(running)) {
        break;
      }
    }
    return !this.#isHeld();
  }

  /** Whether the receiver of what is answered is behind. */
  get isHeldUp(): boolean {
    return this.#answer.isSpillFull || this.#spans.isBehind;
  }

  /** The request that reads spans has caught up. */
  caughtUp(): void {
    this.#spans.caughtUp();
  }

  /** Nothing more is read, and nothing handed over. */
  stop(): void {
    this.#isStopped = true;
  }

  #isHeld(): boolean {
    // A receiver of spans must not stall what others have in flight behind it.
    return this.#answer.isSpillFull || (this.#spans.isBehind && this.#queue.sentCount === 1);
  }

  #readNext(running: Request | undefined): boolean {
    if (running !== undefined && this.#prelude?.isReading === true) {
      return this.#readPrelude(this.#prelude, running);
    }
    return this.#readsSpans && running?.answer === "spans"
      ? this.#readSpans(running)
      : this.#readMessage(running);
  }

  /** The answers to a prelude are nobody's, but the first error is the request's. */
  #readPrelude(prelude: PreludeRun, running: Request): boolean {
    const reader = this.#reader;
    const found = reader.next();
    if (found !== "message") {
      return found !== "none";
    }
    switch (reader.code) {
      case BackendMessage.CommandComplete:
        prelude.completed();
        return true;
      case BackendMessage.CloseComplete:
        prelude.closed();
        this.#queue.flush();
        return true;
      case BackendMessage.ErrorResponse:
        this.#failPrelude(prelude, running);
        return true;
      case BackendMessage.ParameterStatus:
        this.#parameters.record(reader.bytes);
        return true;
      case BackendMessage.ReadyForQuery:
        this.#endPrelude(prelude, running);
        return true;
      default:
        return true;
    }
  }

  #failPrelude(prelude: PreludeRun, running: Request): void {
    const { bytes } = this.#reader;
    const error = this.#readError(bytes);
    if (error.code !== PgwireErrorCode.Postgres) {
      throw error;
    }
    if (prelude.phase !== "running") {
      return;
    }
    prelude.phase = "failed";
    this.#answer.fail(error);
    if (running.answer === "spans") {
      this.#spans.give(running, bytes);
    }
    if (prelude.lacksSync) {
      this.#answer.reply(encodeSync());
    }
  }

  #endPrelude(prelude: PreludeRun, running: Request): void {
    const { bytes, lastByte, byteLength } = this.#reader;
    const status = parseTransactionStatus(lastByte, byteLength);
    if (prelude.phase === "running") {
      throw protocolViolation("ReadyForQuery came before the answer to a prelude");
    }
    if (prelude.phase === "failed" && status !== "I") {
      prelude.phase = "rollingBack";
      this.#answer.reply(encodeQuery("ROLLBACK"));
      return;
    }
    if (running.answer === "spans") {
      // Who was told that a transaction began must not take what follows for a new one.
      this.#spans.give(running, prelude.lacksTransaction ? encodeReadyForQuery("E") : bytes);
    }
    this.#ready(status, running.answer === "spans" ? this.#spans.end() : undefined);
    this.#queue.flush();
  }

  /** Whether a report of a setting is a part of the answer. */
  #recordReport(message: Buffer): boolean {
    const { name, value } = this.#parameters.record(message);
    return this.#prelude?.isExpected(name, value) !== true;
  }

  #readSpans(request: SpanRequest): boolean {
    const spans = this.#spans;
    if (!spans.next(request)) {
      return false;
    }
    switch (spans.code) {
      case BackendMessage.ReadyForQuery: {
        const status = parseTransactionStatus(spans.lastByte, spans.byteLength);
        this.#ready(status, spans.finish(request));
        return true;
      }
      case BackendMessage.ParameterStatus:
        return this.#readReport(request);
      default: {
        const error = this.#readError(spans.message);
        if (error.code !== PgwireErrorCode.Postgres) {
          spans.withhold(request);
          throw error;
        }
        this.#answer.fail(error);
        request.failing?.(error);
      }
    }
    spans.pass(request);
    return true;
  }

  #readReport(request: SpanRequest): boolean {
    const spans = this.#spans;
    if (request.reported !== undefined) {
      const { name, value } = this.#parameters.record(spans.message);
      spans.withhold(request);
      request.reported(name, value);
    } else if (this.#recordReport(spans.message)) {
      this.#answer.settingReported();
      spans.pass(request);
    } else {
      spans.withhold(request);
    }
    return true;
  }

  #readMessage(running: Request | undefined): boolean {
    const reader = this.#reader;
    switch (reader.next()) {
      case "none":
        return false;
      case "copyData":
        this.#answer.copyData(this.#eventRequest(running), reader);
        return true;
      case "rows": {
        const request = this.#eventRequest(running);
        const { bytes, rowCount, inProgress } = reader;
        this.#activity.received(rowCount);
        this.#answer.deliver(request, { type: "rows", bytes, rowCount, inProgress });
        return true;
      }
      case "message":
        this.#message(running);
        return true;
    }
  }

  #message(running: Request | undefined): void {
    const reader = this.#reader;
    switch (reader.code) {
      case BackendMessage.ReadyForQuery:
        this.#ready(parseTransactionStatus(reader.lastByte, reader.byteLength), undefined);
        return;
      case BackendMessage.ErrorResponse: {
        const error = this.#readError(reader.bytes);
        if (error.code !== PgwireErrorCode.Postgres) {
          throw error;
        }
        this.#answer.fail(error);
        return;
      }
      case BackendMessage.NoticeResponse:
        this.#besideAnswer(running, "notice");
        return;
      case BackendMessage.ParameterStatus:
        if (!this.#recordReport(reader.bytes)) {
          return;
        }
        if (running !== undefined) {
          this.#answer.settingReported();
        }
        this.#besideAnswer(running, "parameterStatus");
        return;
      case BackendMessage.NotificationResponse:
        this.#besideAnswer(running, "notification");
        return;
      default:
        this.#answer.message(this.#eventRequest(running), reader);
    }
  }

  /** A message that may come at any time, also before the answer that it is counted to. */
  #besideAnswer(
    running: Request | undefined,
    type: "notice" | "parameterStatus" | "notification",
  ): void {
    switch (running?.answer) {
      case undefined:
        this.#unasked(this.#reader.bytes);
        return;
      case "spans":
        this.#spans.give(running, this.#reader.bytes);
        return;
      case "events":
        if (type === "notification") {
          running.notified?.(this.#reader.bytes);
        } else {
          this.#answer.deliver(running, { type, bytes: this.#reader.bytes });
        }
    }
  }

  #eventRequest(running: Request | undefined): EventRequest {
    if (running?.answer !== "events") {
      const name = messageTypeName(this.#reader.code);
      throw protocolViolation(`message ${name} came without a request`);
    }
    return running;
  }

  #ready(status: TransactionStatus, failure: { readonly cause: unknown } | undefined): void {
    const request = this.#queue.shift();
    if (request === undefined) {
      throw protocolViolation("ReadyForQuery came without a request");
    }
    this.#transactionStatus = status;
    this.#activity.received(this.#spans.takeRowCount());
    this.#activity.answered({ isInTransaction: status !== "I" });
    this.#answer.finish(request, status, failure);
  }

  /** POSTGRES, or CONNECTION_LOST if the session ends with it. */
  #readError(message: Buffer): PgwireError {
    const diagnostic = decodeDiagnostic(message);
    const error = serverError(diagnostic, { isAnswer: this.#queue.running !== undefined });
    if (error.code === PgwireErrorCode.Postgres) {
      this.#activity.failed(diagnostic.code);
    }
    return error;
  }
}

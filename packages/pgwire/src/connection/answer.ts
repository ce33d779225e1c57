import { PgwireError, PgwireErrorCode, protocolViolation } from "../error.ts";
import type { MessageReader } from "../messages/message-reader.ts";
import { encodeCopyDone, encodeCopyFail, encodeSync } from "../messages/message-writer.ts";
import { BackendMessage, HEADER_BYTES, messageTypeName } from "../messages/protocol.ts";
import type { TransactionStatus } from "../messages/transaction-status.ts";
import { handOver } from "./answer-event.ts";
import type { AnswerEvent } from "./answer-event.ts";
import type { CopyWay, EventRequest, Request, RequestEnd } from "./request.ts";
import { SlowSink } from "./slow-sink.ts";
import type { SlowSinkOwner } from "./slow-sink.ts";

/** Kept for the receivers of a connection that are behind; beyond it nothing more is read. */
const MAX_SPILL_BYTES = 262_144;

const COPY_REFUSED = "COPY from or to the client is not supported";
const COPY_MISTAKEN = "the request takes one COPY, and not this way";

/** The ends of most requests, so that they cost nothing. */
const PLAIN_ENDS: Readonly<Record<TransactionStatus, RequestEnd>> = {
  I: { type: "ready", transactionStatus: "I", error: undefined, settingsReported: false },
  T: { type: "ready", transactionStatus: "T", error: undefined, settingsReported: false },
  E: { type: "ready", transactionStatus: "E", error: undefined, settingsReported: false },
};

/** The error of a receiver. */
export interface SinkFailure {
  readonly cause: unknown;
}

/** The connection as an {@link Answer} uses it. */
export interface AnswerOptions {
  /** Sends bytes at once, past everything that waits. */
  readonly reply: (bytes: Buffer) => void;
  /** A receiver that was behind has taken something: goes on reading. */
  readonly progressed: () => void;
}

/**
 * The answer that the connection is reading: what is known of it, and how its events reach the
 * request. Receivers of earlier answers that are still behind are kept here too.
 */
export class Answer implements SlowSinkOwner {
  readonly #options: AnswerOptions;
  readonly #draining = new Set<SlowSink>();
  #spilledBytes = 0;
  #error: PgwireError | undefined;
  #settingsReported = false;
  #sinkFailure: SinkFailure | undefined;
  /** Of the request that is answered, while it is behind. */
  #slow: SlowSink | undefined;
  /** The COPY that the server has begun. */
  #copying: CopyWay | "refused" | undefined;
  #isExtended = false;

  constructor(options: AnswerOptions) {
    this.#options = options;
  }

  /** Receivers that have not taken the whole of an answer that is over. */
  get drainingCount(): number {
    return this.#draining.size;
  }

  /** Whether no more may be read for now. */
  get isSpillFull(): boolean {
    return this.#spilledBytes > MAX_SPILL_BYTES;
  }

  /** Sends bytes at once, past everything that waits. */
  reply(bytes: Buffer): void {
    this.#options.reply(bytes);
  }

  /** Notes an error of the server. The first one counts. */
  fail(error: PgwireError): void {
    this.#error ??= error;
  }

  /** Notes that the server reported a setting. */
  settingReported(): void {
    this.#settingsReported = true;
  }

  /** Hands an event to the request, or keeps it until the request has caught up. */
  deliver(request: EventRequest, event: AnswerEvent): void {
    if (this.#sinkFailure !== undefined || this.#copying === "refused") {
      return;
    }
    if (this.#slow !== undefined) {
      this.#spilledBytes += this.#slow.keep(event);
      return;
    }
    try {
      const promise = handOver(request, event);
      if (promise !== undefined) {
        this.#slow = new SlowSink(request, this);
        this.#slow.wait(promise);
      }
    } catch (cause) {
      this.#sinkFailure = { cause };
    }
  }

  /** Takes a message that belongs to an answer. */
  message(request: EventRequest, reader: MessageReader): void {
    switch (reader.code) {
      case BackendMessage.RowDescription:
        this.deliver(request, { type: "fields", bytes: reader.bytes });
        return;
      case BackendMessage.CommandComplete:
        assertText(reader);
        this.deliver(request, { type: "complete", bytes: reader.bytes });
        return;
      case BackendMessage.EmptyQueryResponse:
        this.deliver(request, { type: "empty", bytes: reader.bytes });
        return;
      case BackendMessage.PortalSuspended:
        this.deliver(request, { type: "suspended", bytes: reader.bytes });
        return;
      case BackendMessage.BindComplete:
        this.#isExtended = true;
        request.step?.("bound");
        return;
      case BackendMessage.ParseComplete:
        request.step?.("parsed");
        return;
      case BackendMessage.ParameterDescription:
        request.described?.(reader.bytes);
        return;
      case BackendMessage.CloseComplete:
      case BackendMessage.NoData:
        return;
      case BackendMessage.CopyInResponse:
        if (this.#beginCopy(request, reader, "in")) {
          return;
        }
        this.#options.reply(encodeCopyFail(COPY_REFUSED));
        if (this.#isExtended) {
          // The server has passed over the Sync of the request, as a part of the copy.
          this.#options.reply(encodeSync());
        }
        return;
      case BackendMessage.CopyOutResponse:
        this.#beginCopy(request, reader, "out");
        return;
      case BackendMessage.CopyBothResponse:
        this.#refuseCopy(COPY_REFUSED);
        this.#options.reply(encodeCopyDone());
        return;
      case BackendMessage.CopyDone:
        this.#assertCopyOut(reader.code);
        return;
      default:
        throw outOfPlace(reader.code);
    }
  }

  /**
   * Takes a run of CopyData, or a piece of a long one.
   *
   * @throws PROTOCOL_VIOLATION unless a COPY to the client was announced
   */
  copyData(request: EventRequest, { code, bytes, inProgress }: MessageReader): void {
    this.#assertCopyOut(code);
    this.deliver(request, { type: "copyData", bytes, inProgress });
  }

  /** The answer is complete: settles `request`, as soon as it has taken everything. */
  finish(
    request: Request,
    transactionStatus: TransactionStatus,
    spanFailure: SinkFailure | undefined,
  ): void {
    const error = this.#error;
    const settingsReported = this.#settingsReported;
    const failure = spanFailure ?? this.#sinkFailure;
    let end = PLAIN_ENDS[transactionStatus];
    if (failure !== undefined) {
      const { cause } = failure;
      end = { type: "sinkFailed", cause, transactionStatus, error, settingsReported };
    } else if (error !== undefined || settingsReported) {
      end = { type: "ready", transactionStatus, error, settingsReported };
    }
    this.#settle(request, end);
  }

  /** The answer will not be completed. */
  lost(request: Request, error: PgwireError): void {
    this.#settle(request, { type: "lost", error: this.#error ?? error });
  }

  /** Settles every receiver that is still behind. */
  cut(error: PgwireError): void {
    for (const sink of this.#draining) {
      sink.cut({ type: "lost", error });
    }
    this.#draining.clear();
  }

  spillTaken(bytes: number): void {
    this.#spilledBytes -= bytes;
  }

  progressed(): void {
    this.#options.progressed();
  }

  sinkFailed(sink: SlowSink, cause: unknown): void {
    if (sink === this.#slow) {
      this.#sinkFailure = { cause };
    }
  }

  caughtUp(sink: SlowSink): void {
    if (sink === this.#slow) {
      this.#slow = undefined;
    }
  }

  finished(sink: SlowSink): void {
    this.#draining.delete(sink);
  }

  #settle(request: Request, end: RequestEnd): void {
    const slow = this.#slow;
    this.#error = undefined;
    this.#settingsReported = false;
    this.#sinkFailure = undefined;
    this.#slow = undefined;
    this.#copying = undefined;
    this.#isExtended = false;
    if (slow === undefined) {
      request.settle(end);
    } else {
      this.#draining.add(slow);
      slow.finish(end);
    }
  }

  /** Whether the request takes it; otherwise it has failed. */
  #beginCopy(request: EventRequest, { bytes }: MessageReader, way: CopyWay): boolean {
    const isTaken = request.copy?.way === way && this.#copying === undefined && !this.#isExtended;
    if (isTaken) {
      this.#copying = way;
      this.deliver(request, { type: "copyStart", bytes });
    } else {
      this.#refuseCopy(request.copy === undefined ? COPY_REFUSED : COPY_MISTAKEN);
    }
    return isTaken;
  }

  /** Everything else that the request yields is dropped: it has failed as a whole. */
  #refuseCopy(why: string): void {
    this.#copying = "refused";
    this.fail(new PgwireError(PgwireErrorCode.Unsupported, why, { sent: true }));
  }

  #assertCopyOut(code: number): void {
    if (this.#copying === undefined || this.#copying === "in") {
      throw outOfPlace(code);
    }
  }
}

/** A tag has to end, or it could not be passed on as a message. */
function assertText(reader: MessageReader): void {
  if (reader.lastByte !== 0 || reader.byteLength <= HEADER_BYTES) {
    throw protocolViolation("the text in CommandComplete has no end");
  }
}

function outOfPlace(code: number): PgwireError {
  return protocolViolation(
    `message ${messageTypeName(code)} does not belong in the answer to a request`,
  );
}

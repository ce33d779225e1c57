import type { ResultEvent } from "@multipooler/query-service";
import type { AnswerEvent, CopyEvent } from "../connection/answer-event.ts";
import type {
  CopyTaker,
  CopyWay,
  EventRequest,
  Request,
  RequestEnd,
} from "../connection/request.ts";
import { PgwireError, PgwireErrorCode } from "../error.ts";
import {
  encodeCopyDataHeader,
  encodeCopyDone,
  encodeCopyFail,
  queryBytes,
  writeQuery,
} from "../messages/message-writer.ts";

/** Data of at most this size are copied behind their header, to leave in one write. */
const JOINED_BYTES = 16_384;
/** The server takes 10,000 bytes, and a character of UTF-16 has at most three of UTF-8. */
const MAX_REASON_CHARACTERS = 2048;

/** The connection on which a COPY runs. */
export interface CopyConnection {
  feed(request: Request, bytes: Uint8Array): boolean;
}

/** Takes the answer to a COPY: the events as {@link EventRequest}, and the end. */
export interface CopyReceiver {
  event(event: AnswerEvent): Promise<void> | undefined;
  settle(end: RequestEnd): void;
}

export interface CopyQueryOptions {
  /** One COPY statement. */
  readonly sql: string;
  /** "in": from the client. */
  readonly way: CopyWay;
  readonly receiver: CopyReceiver;
  /** Where the request is sent. */
  readonly connection: CopyConnection;
}

/**
 * | state    | the server                          | next            |
 * | -------- | ----------------------------------- | --------------- |
 * | starting | has not answered to the statement   | copying, over   |
 * | failing  | likewise; it is to get no data      | over            |
 * | copying  | waits for data                      | over            |
 * | over     | takes no data, or not any more      |                 |
 */
type State =
  | { readonly type: "starting" }
  | { readonly type: "failing"; readonly reason: string }
  | { readonly type: "copying" }
  | { readonly type: "over" };

/**
 * A COPY from or to the client in the simple protocol. One from the client is fed after its
 * "copyStart" event: `data` any number of times, then `done` or `fail`. What comes after the server
 * has ended it, such as data behind an error, is dropped.
 */
export class CopyQuery implements EventRequest {
  readonly answer = "events";
  readonly byteLength: number;
  readonly copy: CopyTaker;
  readonly #options: CopyQueryOptions;
  #state: State = { type: "starting" };
  /** The server takes no more data for now. */
  #behind: PromiseWithResolvers<void> | undefined;

  /** @throws INVALID_ARGUMENT for a NUL character */
  constructor(options: CopyQueryOptions) {
    if (options.sql.includes("\0")) {
      throw new PgwireError(PgwireErrorCode.InvalidArgument, "a query cannot hold a NUL character");
    }
    this.#options = options;
    this.byteLength = queryBytes(options.sql);
    this.copy = { way: options.way, event: (event) => this.#onCopyEvent(event) };
  }

  /** Whether the server waits for data. */
  get isTaking(): boolean {
    return this.#state.type === "copying";
  }

  /**
   * Sends data, cut anywhere, of less than 1 GiB. They are not to be written to again. A promise
   * says that the server is behind; it resolves when there is room, or when the COPY is over.
   */
  data(bytes: Uint8Array): Promise<void> | undefined {
    if (!this.isTaking || bytes.length === 0) {
      return undefined;
    }
    const header = encodeCopyDataHeader(bytes.length);
    if (bytes.length <= JOINED_BYTES) {
      return this.#feed(Buffer.concat([header, bytes]));
    }
    void this.#feed(header);
    return this.#feed(bytes);
  }

  /** All data were sent. */
  done(): void {
    if (this.isTaking) {
      this.#state = { type: "over" };
      void this.#feed(encodeCopyDone());
    }
  }

  /** Has the COPY fail, also one that the server has not begun. `reason` is a part of its error. */
  fail(reason: string): void {
    const state = this.#state;
    if (state.type === "starting") {
      this.#state = { type: "failing", reason };
    } else if (state.type === "copying") {
      this.#sendFailure(reason);
    }
  }

  writeTo(target: Buffer, start: number): number {
    return writeQuery(target, start, this.#options.sql);
  }

  event(event: ResultEvent): Promise<void> | undefined {
    return this.#options.receiver.event(event);
  }

  drained(): void {
    this.#behind?.resolve();
    this.#behind = undefined;
  }

  settle(end: RequestEnd): void {
    this.#state = { type: "over" };
    this.drained();
    this.#options.receiver.settle(end);
  }

  #onCopyEvent(event: CopyEvent): Promise<void> | undefined {
    if (event.type === "copyStart") {
      this.#start();
    }
    return this.#options.receiver.event(event);
  }

  #start(): void {
    const state = this.#state;
    if (state.type === "failing" && this.#options.way === "in") {
      this.#sendFailure(state.reason);
    } else {
      this.#state = { type: this.#options.way === "in" ? "copying" : "over" };
    }
  }

  #sendFailure(reason: string): void {
    this.#state = { type: "over" };
    const text = reason.replaceAll("\0", "").slice(0, MAX_REASON_CHARACTERS);
    void this.#feed(encodeCopyFail(text));
  }

  #feed(bytes: Uint8Array): Promise<void> | undefined {
    if (this.#options.connection.feed(this, bytes)) {
      return undefined;
    }
    this.#behind ??= Promise.withResolvers<void>();
    return this.#behind.promise;
  }
}

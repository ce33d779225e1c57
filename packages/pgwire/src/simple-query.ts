import { BodyReader } from "./body-reader.ts";
import { PgwireError, PgwireErrorCode, protocolViolation } from "./error.ts";
import type { Frame } from "./message-reader.ts";
import { encodeCopyDone, encodeCopyFail, queryBytes, writeQuery } from "./message-writer.ts";
import { BackendMessage, messageTypeName } from "./protocol.ts";
import type { ResponseEvent, ResponseSink } from "./response.ts";
import { parseRowDescription } from "./row-description.ts";

const COPY_REFUSED = "COPY from or to the client is not supported";

/** What a {@link SimpleQuery} is made of. */
export interface SimpleQueryOptions {
  readonly sql: string;
  readonly sink: ResponseSink;
  /** Sends a message at once, past everything that waits. */
  readonly reply: (message: Buffer) => void;
}

/**
 * One query string on its way through a connection: its message, what its answer means, and how it
 * ended. The first failure is the one that counts; it is told when the answer is over.
 */
export class SimpleQuery {
  readonly #options: SimpleQueryOptions;
  readonly #settled = Promise.withResolvers<void>();
  #failure: { readonly error: unknown } | undefined;
  /** Nothing more goes to the sink. */
  #discarding = false;
  #copying = false;

  constructor(options: SimpleQueryOptions) {
    this.#options = options;
  }

  /** Settles when the answer is over. */
  get settled(): Promise<void> {
    return this.#settled.promise;
  }

  /** The size of the message. */
  get byteLength(): number {
    return queryBytes(this.#options.sql);
  }

  /** Writes the message into `target`. Returns its end. */
  writeTo(target: Buffer, start: number): number {
    return writeQuery(target, start, this.#options.sql);
  }

  /** Takes a frame of the answer. A promise, which never rejects, asks to wait. */
  frame(frame: Frame): Promise<void> | undefined {
    switch (frame.type) {
      case "rows":
        return this.deliver(frame);
      case "copyData":
        this.#assertCopying(BackendMessage.CopyData);
        return undefined;
      case "message":
        return this.#message(frame.code, frame.body);
    }
  }

  /**
   * Writes an event to the sink. When the sink fails, the rest of the answer is dropped: it has to
   * be read to its end, or the answers of later requests could not be found.
   */
  deliver(event: ResponseEvent): Promise<void> | undefined {
    if (this.#discarding) {
      return undefined;
    }
    try {
      return this.#options.sink
        .write(event)
        ?.then(undefined, (error: unknown) => this.#drop(error));
    } catch (error) {
      this.#drop(error);
      return undefined;
    }
  }

  /** Notes an error of the server. */
  fail(error: unknown): void {
    this.#failure ??= { error };
  }

  /** Ends the request; `error` is why, unless something failed before or nothing did. */
  settle(error?: PgwireError): void {
    const failure = this.#failure ?? (error && { error });
    this.#discarding = true;
    if (failure === undefined) {
      this.#settled.resolve();
    } else {
      this.#settled.reject(failure.error);
    }
  }

  #message(code: number, body: Buffer): Promise<void> | undefined {
    switch (code) {
      case BackendMessage.RowDescription:
        return this.deliver({ type: "fields", fields: parseRowDescription(body) });
      case BackendMessage.CommandComplete:
        this.#copying = false;
        return this.deliver({ type: "complete", commandTag: parseCommandTag(body) });
      case BackendMessage.EmptyQueryResponse:
        return this.deliver({ type: "empty" });
      case BackendMessage.CopyInResponse:
        return this.#refuseCopy(encodeCopyFail(COPY_REFUSED));
      case BackendMessage.CopyOutResponse:
        return this.#refuseCopy(undefined);
      case BackendMessage.CopyBothResponse:
        return this.#refuseCopy(encodeCopyDone());
      case BackendMessage.CopyDone:
        this.#assertCopying(code);
        return undefined;
      default:
        throw outOfPlace(code);
    }
  }

  /** Ends a COPY from this side where that is the client's part; otherwise lets it run out. */
  #refuseCopy(reply: Buffer | undefined): undefined {
    this.#copying = true;
    this.#drop(new PgwireError(PgwireErrorCode.Unsupported, COPY_REFUSED, { sent: true }));
    if (reply !== undefined) {
      this.#options.reply(reply);
    }
  }

  #drop(error: unknown): void {
    this.#discarding = true;
    this.fail(error);
  }

  #assertCopying(code: number): void {
    if (!this.#copying) {
      throw outOfPlace(code);
    }
  }
}

function parseCommandTag(body: Buffer): string {
  const reader = new BodyReader({ body, message: "CommandComplete" });
  const tag = reader.string();
  reader.end();
  return tag;
}

function outOfPlace(code: number): PgwireError {
  return protocolViolation(
    `message ${messageTypeName(code)} does not belong in the answer to a query`,
  );
}

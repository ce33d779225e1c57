import type { Duplex } from "node:stream";
import { PgwireError, PgwireErrorCode } from "./error.ts";
import { MessageReader } from "./message-reader.ts";
import type { Frame } from "./message-reader.ts";

/** Who takes the frames of a {@link FramedSocket}. */
export interface FrameHandler {
  /**
   * Takes one frame. A promise, which must not reject, holds back what follows and stops reading
   * until it resolves. What it throws ends the socket.
   */
  frame(frame: Frame): Promise<void> | undefined;
  /** The socket takes bytes again after {@link FramedSocket.congested} was true. */
  drained(): void;
  /** There will be no more frames. Called once. */
  ended(error: PgwireError): void;
}

/**
 * A socket that yields protocol frames, with backpressure: what is not taken is not read. Frames
 * are pulled one at a time with `receive`, or pushed to a handler from `start` on.
 *
 * It owns the socket. When that ends, every frame that had arrived is still handed over before the
 * handler is told; only `destroy` drops them. The end is always the end of both directions.
 */
export class FramedSocket {
  readonly #socket: Duplex;
  readonly #reader: MessageReader;
  readonly #closed = Promise.withResolvers<void>();
  #handler: FrameHandler | undefined;
  /** The handler holds back what follows. */
  #held = false;
  /** No more bytes will come; why, if it was not the server's orderly end. */
  #input: { readonly ended: boolean; readonly cause?: Error | undefined } = { ended: false };
  /** No more frames will come, and why. */
  #end: PgwireError | undefined;

  constructor(options: { readonly socket: Duplex; readonly maxMessageBytes: number }) {
    const { socket, maxMessageBytes } = options;
    this.#socket = socket;
    this.#reader = new MessageReader({ maxMessageBytes });
    socket.on("data", (chunk: Buffer) => this.#onData(chunk));
    socket.on("end", () => this.#onInputEnd());
    socket.on("error", (cause) => this.#onInputEnd(cause));
    socket.on("drain", () => this.#handler?.drained());
    socket.once("close", () => {
      this.#onInputEnd();
      this.#closed.resolve();
    });
  }

  /** Resolves when the socket is gone. Never rejects. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** Whether bytes written now may reach the server. */
  get writable(): boolean {
    return !this.#input.ended && this.#socket.writable;
  }

  /** Earlier writes still wait for the server to take them. */
  get congested(): boolean {
    return this.#socket.writableNeedDrain;
  }

  /** Bytes that have arrived and are part of no frame yet. */
  get unread(): Buffer {
    return this.#reader.unread;
  }

  /** Sends bytes; does nothing when they cannot reach the server any more. */
  write(bytes: Buffer): void {
    if (this.writable) {
      this.#socket.write(bytes);
    }
  }

  /** Sends the last bytes. Frames still come until the server ends its side. */
  end(bytes: Buffer): void {
    if (this.writable) {
      this.#socket.end(bytes);
    }
  }

  /** Cuts the socket. Idempotent. */
  destroy(error: PgwireError): void {
    if (this.#end !== undefined) {
      return;
    }
    this.#end = error;
    this.#socket.destroy();
    const handler = this.#handler;
    this.#handler = undefined;
    handler?.ended(error);
  }

  /** The next frame; rejects when there is none. One call at a time, and only before `start`. */
  receive(): Promise<Frame> {
    const { promise, resolve, reject } = Promise.withResolvers<Frame>();
    this.start({
      frame: (frame) => {
        this.#handler = undefined;
        resolve(frame);
        return undefined;
      },
      drained: () => undefined,
      ended: reject,
    });
    return promise;
  }

  /** Hands over every frame from here on. */
  start(handler: FrameHandler): void {
    if (this.#end !== undefined) {
      handler.ended(this.#end);
      return;
    }
    this.#handler = handler;
    this.#pump();
  }

  #onData(chunk: Buffer): void {
    this.#reader.push(chunk);
    this.#pump();
    if (this.#held || this.#handler === undefined) {
      this.#socket.pause();
    }
  }

  #onInputEnd(cause?: Error): void {
    if (!this.#input.ended) {
      this.#input = { ended: true, cause };
      this.#pump();
    }
  }

  #pump(): void {
    try {
      while (this.#handler !== undefined && !this.#held) {
        const frame = this.#reader.next();
        if (frame === undefined) {
          this.#awaitInput();
          return;
        }
        this.#hold(this.#handler.frame(frame));
      }
    } catch (error) {
      this.destroy(
        error instanceof PgwireError
          ? error
          : new PgwireError(
              PgwireErrorCode.ProtocolViolation,
              "the answer of the server could not be processed",
              { cause: error },
            ),
      );
    }
  }

  #hold(release: Promise<void> | undefined): void {
    if (release === undefined) {
      return;
    }
    this.#held = true;
    void release.then(() => {
      this.#held = false;
      this.#pump();
    });
  }

  #awaitInput(): void {
    if (!this.#input.ended) {
      if (this.#socket.isPaused()) {
        this.#socket.resume();
      }
      return;
    }
    const { cause } = this.#input;
    const how =
      cause === undefined
        ? "the server closed the connection"
        : `the connection broke: ${cause.message}`;
    const where = this.#reader.atBoundary ? "" : " in the middle of a message";
    this.destroy(new PgwireError(PgwireErrorCode.ConnectionLost, how + where, { cause }));
  }
}

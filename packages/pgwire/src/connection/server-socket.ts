import type { Duplex } from "node:stream";
import { PgwireError, PgwireErrorCode, pgwireError } from "../error.ts";
import type { ByteInput } from "../messages/byte-input.ts";
import { compactChunk } from "../messages/compact-chunk.ts";

/** Takes the bytes of a {@link ServerSocket}. */
export interface SocketHandler {
  /** Whether nothing of a message has begun to arrive. */
  readonly atBoundary: boolean;
  /**
   * Takes from the input what it can. False: it leaves whole messages there for now, and nothing
   * more is read until `pump`. What it throws ends the socket.
   */
  readable(): boolean;
  /** The socket takes bytes again after {@link ServerSocket.congested} was true. */
  drained(): void;
  /** There will be no more bytes. Called once. */
  ended(error: PgwireError): void;
}

/**
 * A socket to a server, with backpressure: what is not taken is not read.
 *
 * It owns the socket. When that ends, everything that had arrived is still handed over before the
 * handler gets the end; only `destroy` drops it. The end is always the end of both directions.
 */
export class ServerSocket {
  readonly input: ByteInput;
  readonly #socket: Duplex;
  readonly #closed = Promise.withResolvers<void>();
  #handler: SocketHandler | undefined;
  #isReading = false;
  #bytesReceived = 0;
  #bytesSent = 0;
  /** No more bytes will come; why, if it was not the server's orderly end. */
  #inputEnd: { readonly cause?: Error | undefined } | undefined;
  /** Nothing more is handed over, and why. */
  #end: PgwireError | undefined;

  constructor(options: { readonly socket: Duplex; readonly input: ByteInput }) {
    const { socket, input } = options;
    this.#socket = socket;
    this.input = input;
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
    return this.#inputEnd === undefined && this.#socket.writable;
  }

  /** Earlier writes still wait for the server to take them. */
  get congested(): boolean {
    return this.#socket.writableNeedDrain;
  }

  get bytesReceived(): number {
    return this.#bytesReceived;
  }

  get bytesSent(): number {
    return this.#bytesSent;
  }

  /** Nothing is read for now. */
  get isPaused(): boolean {
    return this.#socket.isPaused();
  }

  /** Sends bytes; does nothing when they cannot reach the server any more. */
  write(bytes: Uint8Array): void {
    if (this.writable) {
      this.#bytesSent += bytes.length;
      this.#socket.write(bytes);
    }
  }

  /** Sends the last bytes. The server's still come until it ends its side. */
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

  /** Hands over everything from here on, until `release`. */
  start(handler: SocketHandler): void {
    if (this.#end !== undefined) {
      handler.ended(this.#end);
      return;
    }
    this.#handler = handler;
    this.pump();
  }

  /** Takes the handler off. Nothing is read until the next `start`. */
  release(): void {
    this.#handler = undefined;
  }

  /** Goes on after `readable` returned false. */
  pump(): void {
    if (this.#read()) {
      this.#awaitInput();
    }
  }

  #onData(chunk: Buffer): void {
    this.#bytesReceived += chunk.length;
    this.input.push(compactChunk(chunk));
    if (!this.#read()) {
      this.#socket.pause();
    }
  }

  /** Whether the handler is still there and wants more. */
  #read(): boolean {
    const handler = this.#handler;
    if (handler === undefined || this.#isReading) {
      return false;
    }
    this.#isReading = true;
    try {
      return handler.readable() && this.#handler === handler;
    } catch (error) {
      this.destroy(pgwireError(error));
      return false;
    } finally {
      this.#isReading = false;
    }
  }

  #onInputEnd(cause?: Error): void {
    if (this.#inputEnd === undefined) {
      this.#inputEnd = { cause };
      this.pump();
    }
  }

  #awaitInput(): void {
    if (this.#inputEnd === undefined) {
      if (this.#socket.isPaused()) {
        this.#socket.resume();
      }
      return;
    }
    const { cause } = this.#inputEnd;
    const how =
      cause === undefined
        ? "the server closed the connection"
        : `the connection broke: ${cause.message}`;
    const where = this.#handler?.atBoundary === false ? " in the middle of a message" : "";
    this.destroy(new PgwireError(PgwireErrorCode.ConnectionLost, how + where, { cause }));
  }
}

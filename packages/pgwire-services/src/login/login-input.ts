import type { Duplex } from "node:stream";
import { onAbort } from "@multipooler/timing";
import { ClientGone } from "./refusal.ts";

const EVENTS = ["readable", "end", "close", "error"] as const;

/**
 * The bytes of a client before its login is complete, taken by count. What is not taken stays in the
 * socket, which reads no further than its buffer.
 *
 * One call at a time. `release` before the socket is used in another way.
 */
export class LoginInput {
  readonly #socket: Duplex;
  readonly #signal: AbortSignal;
  readonly #stopListening: () => void;
  readonly #wake = (): void => this.#change.resolve();
  #change = Promise.withResolvers<void>();
  #hasEnded = false;

  /** The signal ends every wait, with its reason. */
  constructor(socket: Duplex, signal: AbortSignal) {
    this.#socket = socket;
    this.#signal = signal;
    for (const event of EVENTS) {
      socket.on(event, this.#wake);
    }
    socket.once("end", this.#end);
    this.#stopListening = onAbort(signal, this.#wake);
  }

  /** Rejects with the signal's reason, or `ClientGone`. */
  async take(count: number): Promise<Buffer> {
    for (;;) {
      this.#signal.throwIfAborted();
      if (count === 0) {
        return Buffer.alloc(0);
      }
      const bytes: unknown = this.#socket.read(count);
      if (Buffer.isBuffer(bytes) && bytes.length === count) {
        return bytes;
      }
      if (this.#hasEnded || this.#socket.destroyed || this.#socket.readableEnded) {
        throw new ClientGone("the client closed the connection before it was logged in");
      }
      await this.#change.promise;
      this.#change = Promise.withResolvers();
    }
  }

  /** Puts bytes back that were taken last. */
  untake(bytes: Buffer): void {
    this.#socket.unshift(bytes);
  }

  /** Whether more has arrived than was taken. */
  get hasMore(): boolean {
    return this.#socket.readableLength > 0;
  }

  release(): void {
    this.#stopListening();
    this.#socket.off("end", this.#end);
    for (const event of EVENTS) {
      this.#socket.off(event, this.#wake);
    }
  }

  readonly #end = (): void => {
    this.#hasEnded = true;
  };
}

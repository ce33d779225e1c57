import type { Duplex } from "node:stream";
import { scheduleFlush } from "@multipooler/pgwire";
import type { Flushable } from "@multipooler/pgwire";
import type { StallWatch, Taker } from "@multipooler/timing";

/** What is written at once instead of at the end of the loop's turn. */
const FLUSH_BYTES = 65_536;
/** Up to this size, pieces are copied together: cheaper for the system than a vector of them. */
const COPY_BYTES = 16_384;

/** Whose output it is. */
export interface OutputOwner {
  /** The client has room again after `write` returned false. */
  drained(): void;
  /** It has taken nothing for too long. */
  stalled(): void;
}

export interface ClientOutputOptions {
  readonly socket: Duplex;
  /** Finds clients that take nothing. */
  readonly stalls: StallWatch;
  readonly owner: OutputOwner;
}

/**
 * The way to one client's socket: what is written in one turn of the event loop leaves in one write,
 * after the backends' own.
 */
export class ClientOutput implements Flushable, Taker {
  readonly #socket: Duplex;
  readonly #stalls: StallWatch;
  readonly #owner: OutputOwner;
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  /** Handed to the socket. */
  #sentBytes = 0;
  #isScheduled = false;
  #isBehind = false;
  #isClosed = false;

  constructor({ socket, stalls, owner }: ClientOutputOptions) {
    this.#socket = socket;
    this.#stalls = stalls;
    this.#owner = owner;
    this.#socket.on("drain", () => this.#drained());
  }

  /** What the system took; it has steps of up to 1.4 MiB for a client that is slow. */
  get takenBytes(): number {
    return this.#sentBytes - this.#socket.writableLength;
  }

  onStalled(): void {
    this.#owner.stalled();
  }

  /** Takes bytes, in a view that is not written to again. False: the client is behind. */
  write(bytes: Uint8Array): boolean {
    if (this.#isClosed) {
      return true;
    }
    this.#pieces.push(bytes);
    this.#bytes += bytes.length;
    if (this.#bytes >= FLUSH_BYTES) {
      this.#send();
    } else if (!this.#isScheduled) {
      this.#isScheduled = true;
      scheduleFlush("client", this);
    }
    return !this.#isBehind;
  }

  flush(): void {
    this.#isScheduled = false;
    this.#send();
  }

  /** Sends what was written, then the end of the stream. Takes nothing afterwards. */
  end(): void {
    if (!this.#isClosed) {
      this.#send();
      this.#isClosed = true;
      this.#socket.end();
    }
  }

  /** Drops what was not sent, and everything that is written afterwards: nobody is there to take it. */
  drop(): void {
    this.#isClosed = true;
    this.#pieces = [];
    this.#bytes = 0;
    this.#drained();
  }

  #send(): void {
    const pieces = this.#pieces;
    const [first] = pieces;
    if (first === undefined || this.#isClosed) {
      return;
    }
    const bytes = this.#bytes;
    this.#pieces = [];
    this.#bytes = 0;
    this.#sentBytes += bytes;
    if (pieces.length === 1) {
      this.#socket.write(first);
    } else if (bytes <= COPY_BYTES) {
      this.#socket.write(Buffer.concat(pieces, bytes));
    } else {
      this.#socket.cork();
      for (const piece of pieces) {
        this.#socket.write(piece);
      }
      this.#socket.uncork();
    }
    // A write that the system took at once asks for a drain too; it is no reason to hold back.
    this.#isBehind = this.#socket.writableLength >= this.#socket.writableHighWaterMark;
    if (this.#isBehind) {
      this.#stalls.add(this);
    }
  }

  #drained(): void {
    if (this.#isBehind) {
      this.#isBehind = false;
      this.#stalls.remove(this);
      this.#owner.drained();
    }
  }
}

import type { SimpleQuery } from "./simple-query.ts";

/** A write is handed to the socket once it has grown to this. */
const BATCH_BYTES = 65_536;

/** What the queue needs of a socket. */
export interface RequestSocket {
  readonly writable: boolean;
  readonly congested: boolean;
  write(bytes: Buffer): void;
}

/**
 * The requests of one connection in the order of their answers. Each is written as soon as the
 * socket takes it, whether or not those before it were answered; all that came in one tick are
 * written together. Until then a request can be withdrawn.
 */
export class RequestQueue {
  readonly #socket: RequestSocket;
  readonly #unsent: SimpleQuery[] = [];
  readonly #sent: SimpleQuery[] = [];
  #flushScheduled = false;

  constructor({ socket }: { readonly socket: RequestSocket }) {
    this.#socket = socket;
  }

  /** Requests that are not answered, whether sent or not. */
  get size(): number {
    return this.#unsent.length + this.#sent.length;
  }

  /** The request that the server is answering. */
  get running(): SimpleQuery | undefined {
    return this.#sent[0];
  }

  push(request: SimpleQuery): void {
    this.#unsent.push(request);
    if (!this.#flushScheduled) {
      this.#flushScheduled = true;
      process.nextTick(() => {
        this.#flushScheduled = false;
        this.flush();
      });
    }
  }

  /** Takes back a request that was not sent. Returns whether it could. */
  withdraw(request: SimpleQuery): boolean {
    const index = this.#unsent.indexOf(request);
    if (index === -1) {
      return false;
    }
    this.#unsent.splice(index, 1);
    return true;
  }

  /** Writes what waits, as far as the socket takes it. */
  flush(): void {
    while (this.#unsent.length > 0 && this.#socket.writable && !this.#socket.congested) {
      this.#socket.write(this.#takeBatch());
    }
  }

  /** The answer to the running request is complete. */
  shift(): SimpleQuery | undefined {
    return this.#sent.shift();
  }

  /** Empties the queue because there will be no more answers. */
  clear(): { readonly sent: readonly SimpleQuery[]; readonly unsent: readonly SimpleQuery[] } {
    return { sent: this.#sent.splice(0), unsent: this.#unsent.splice(0) };
  }

  #takeBatch(): Buffer {
    let bytes = 0;
    let count = 0;
    for (const request of this.#unsent) {
      bytes += request.byteLength;
      count += 1;
      if (bytes >= BATCH_BYTES) {
        break;
      }
    }
    const batch = Buffer.allocUnsafe(bytes);
    let end = 0;
    for (const request of this.#unsent.splice(0, count)) {
      end = request.writeTo(batch, end);
      this.#sent.push(request);
    }
    return batch;
  }
}

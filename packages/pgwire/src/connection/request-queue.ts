import { RequestRing } from "./request-ring.ts";
import type { Request } from "./request.ts";

/** A write is handed to the socket once it has grown to this. */
export const BATCH_BYTES = 65_536;

/** The socket as the queue uses it. */
export interface RequestSocket {
  readonly writable: boolean;
  readonly congested: boolean;
  write(bytes: Buffer): void;
}

/**
 * The requests of one connection in the order of their answers. Each is written whether or not
 * those before it were answered. Until then it can be withdrawn.
 */
export class RequestQueue {
  readonly #socket: RequestSocket;
  /** First those that were sent, then the others. */
  readonly #requests = new RequestRing();
  #sentCount = 0;
  #unsentBytes = 0;
  /** Nothing is written behind this request while a cancel may hit what follows it. */
  #barrier: Request | undefined;

  constructor({ socket }: { readonly socket: RequestSocket }) {
    this.#socket = socket;
  }

  /** Requests that are not answered, whether sent or not. */
  get size(): number {
    return this.#requests.length;
  }

  get sentCount(): number {
    return this.#sentCount;
  }

  /** Bytes that wait to be written. */
  get unsentBytes(): number {
    return this.#unsentBytes;
  }

  /** The request that the server is answering. */
  get running(): Request | undefined {
    return this.#sentCount > 0 ? this.#requests.at(0) : undefined;
  }

  push(request: Request): void {
    this.#requests.push(request);
    this.#unsentBytes += request.byteLength;
  }

  /** Takes back a request that was not sent. Returns whether it could. */
  withdraw(request: Request): boolean {
    const index = this.#requests.indexOf(request, this.#sentCount);
    if (index === -1) {
      return false;
    }
    this.#requests.remove(index);
    this.#unsentBytes -= request.byteLength;
    return true;
  }

  /** Where a request stands: 0 is running, -1: it is not here. */
  position(request: Request): number {
    return this.#requests.indexOf(request);
  }

  /** Holds back everything behind `request`; `undefined`: nothing. */
  setBarrier(request: Request | undefined): void {
    this.#barrier = request;
  }

  /** Writes what waits, as far as the socket takes it. */
  flush(): void {
    while (this.#socket.writable && !this.#socket.congested) {
      const batch = this.#takeBatch();
      if (batch === undefined) {
        return;
      }
      this.#socket.write(batch);
    }
  }

  /** The answer to the running request is complete. */
  shift(): Request | undefined {
    if (this.#sentCount === 0) {
      return undefined;
    }
    this.#sentCount -= 1;
    return this.#requests.shift();
  }

  /** Empties the queue because there will be no more answers. */
  clear(): { readonly sent: readonly Request[]; readonly unsent: readonly Request[] } {
    const sent: Request[] = [];
    const unsent: Request[] = [];
    for (let request = this.#requests.shift(); request; request = this.#requests.shift()) {
      (sent.length < this.#sentCount ? sent : unsent).push(request);
    }
    this.#sentCount = 0;
    this.#unsentBytes = 0;
    return { sent, unsent };
  }

  #takeBatch(): Buffer | undefined {
    let bytes = 0;
    let count = this.#sentCount;
    const limit = this.#sendableCount();
    while (count < limit && bytes < BATCH_BYTES) {
      bytes += this.#requests.at(count)?.byteLength ?? 0;
      count += 1;
    }
    if (count === this.#sentCount) {
      return undefined;
    }
    const batch = Buffer.allocUnsafe(bytes);
    let end = 0;
    for (let index = this.#sentCount; index < count; index += 1) {
      end = this.#requests.at(index)?.writeTo(batch, end) ?? end;
    }
    this.#sentCount = count;
    this.#unsentBytes -= bytes;
    // Never what stood in the memory before, should a request write less than it has announced.
    return end === bytes ? batch : batch.subarray(0, end);
  }

  #sendableCount(): number {
    if (this.#barrier === undefined) {
      return this.#requests.length;
    }
    const index = this.#requests.indexOf(this.#barrier);
    // A request that is settled has nothing behind it that was sent.
    return index === -1 ? this.#sentCount : index + 1;
  }
}

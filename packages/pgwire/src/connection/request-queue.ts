import { PreludeRun } from "./prelude.ts";
import type { Prelude, TransactionBegin } from "./prelude.ts";
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

/** What is sent behind a request, which itself waits or has only just been sent. */
interface Tail {
  readonly request: Request;
  readonly chunks: Uint8Array[];
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
  /** Goes ahead of the next request. */
  #nextPrelude: Prelude | undefined;
  /** The same, behind that. */
  #nextBegin: TransactionBegin | undefined;
  #prelude: PreludeRun | undefined;
  #tail: Tail | undefined;

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

  /** The prelude of the request that is running. */
  get prelude(): PreludeRun | undefined {
    return this.#prelude !== undefined && this.#prelude.request === this.running
      ? this.#prelude
      : undefined;
  }

  /** Puts a prelude before the next request, in place of one that waits for that; `undefined`: none. */
  precede(prelude: Prelude | undefined): void {
    this.#nextPrelude = prelude;
  }

  /** Has the next request be in a transaction that begins with it. */
  begin(begin: TransactionBegin): void {
    this.#nextBegin = begin;
  }

  push(request: Request): void {
    this.#requests.push(request);
    this.#unsentBytes += request.byteLength;
    const prelude = this.#nextPrelude;
    const begin = this.#nextBegin;
    if (prelude !== undefined || begin !== undefined) {
      this.#prelude = new PreludeRun({ prelude, begin, request });
      this.#nextPrelude = undefined;
      this.#nextBegin = undefined;
      this.#unsentBytes += this.#prelude.byteLength;
    }
  }

  /**
   * Has `bytes` follow `request` as a part of it, if that waits to be sent itself, or others of its
   * bytes do. Returns whether it does: otherwise they are for the caller to write.
   */
  append(request: Request, bytes: Uint8Array): boolean {
    const isWaiting = this.#requests.indexOf(request, this.#sentCount) !== -1;
    if (!isWaiting && this.#tail?.request !== request) {
      return false;
    }
    this.#tail ??= { request, chunks: [] };
    this.#tail.chunks.push(bytes);
    this.#unsentBytes += bytes.byteLength;
    return true;
  }

  /** Takes back a request that was not sent. Returns whether it could. */
  withdraw(request: Request): boolean {
    const index = this.#requests.indexOf(request, this.#sentCount);
    if (index === -1) {
      return false;
    }
    this.#requests.remove(index);
    this.#unsentBytes -= this.#bytesOf(request);
    this.#forgetPreludeOf(request);
    if (this.#tail?.request === request) {
      this.#takeTail();
    }
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

  /**
   * Writes what waits, as far as the socket takes it. Returns whether bytes were among it that had
   * been appended: more of them may be.
   */
  flush(): boolean {
    let hasWrittenTail = false;
    while (this.#socket.writable && !this.#socket.congested) {
      const batch = this.#takeBatch();
      if (batch !== undefined) {
        this.#socket.write(batch);
      } else if (this.#isTailNext) {
        hasWrittenTail = true;
        this.#socket.write(this.#takeTail());
      } else {
        break;
      }
    }
    return hasWrittenTail;
  }

  /** The answer to the running request is complete. */
  shift(): Request | undefined {
    if (this.#sentCount === 0) {
      return undefined;
    }
    this.#sentCount -= 1;
    const request = this.#requests.shift();
    this.#forgetPreludeOf(request);
    if (this.#tail !== undefined && this.#tail.request === request) {
      this.#takeTail();
    }
    return request;
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
    this.#nextPrelude = undefined;
    this.#nextBegin = undefined;
    this.#prelude = undefined;
    this.#tail = undefined;
    return { sent, unsent };
  }

  /** Whether the request that the tail belongs to is the last one that was sent. */
  get #isTailNext(): boolean {
    const tail = this.#tail;
    return tail !== undefined && this.#requests.indexOf(tail.request) === this.#sentCount - 1;
  }

  #takeTail(): Buffer {
    const bytes = Buffer.concat(this.#tail?.chunks ?? []);
    this.#unsentBytes -= bytes.length;
    this.#tail = undefined;
    return bytes;
  }

  #takeBatch(): Buffer | undefined {
    let bytes = 0;
    let count = this.#sentCount;
    const limit = this.#sendableCount();
    while (count < limit && bytes < BATCH_BYTES) {
      const request = this.#requests.at(count);
      bytes += request === undefined ? 0 : this.#bytesOf(request);
      count += 1;
    }
    if (count === this.#sentCount) {
      return undefined;
    }
    const batch = Buffer.allocUnsafe(bytes);
    let end = 0;
    for (let index = this.#sentCount; index < count; index += 1) {
      const request = this.#requests.at(index);
      const prelude = this.#prelude;
      const source = prelude?.request === request ? prelude : request;
      end = source?.writeTo(batch, end) ?? end;
    }
    this.#sentCount = count;
    this.#unsentBytes -= bytes;
    // Never what stood in the memory before, should a request write less than it has announced.
    return end === bytes ? batch : batch.subarray(0, end);
  }

  #sendableCount(): number {
    let count = this.#requests.length;
    if (this.#barrier !== undefined) {
      const index = this.#requests.indexOf(this.#barrier);
      // A request that is settled has nothing behind it that was sent.
      count = index === -1 ? this.#sentCount : index + 1;
    }
    if (this.#prelude !== undefined && this.#prelude.phase !== "done") {
      count = Math.min(count, this.#requests.indexOf(this.#prelude.request) + 1);
    }
    if (this.#tail !== undefined) {
      count = Math.min(count, this.#requests.indexOf(this.#tail.request) + 1);
    }
    return count;
  }

  #bytesOf(request: Request): number {
    const prelude = this.#prelude;
    return request.byteLength + (prelude?.request === request ? prelude.byteLength : 0);
  }

  #forgetPreludeOf(request: Request | undefined): void {
    if (this.#prelude !== undefined && this.#prelude.request === request) {
      this.#prelude = undefined;
    }
  }
}

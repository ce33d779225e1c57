import { returnMemory } from "@multipooler/query-service";

/** Reserved for a message of which only the beginning has arrived. */
const INITIAL_CAPACITY_BYTES = 65_536;

/**
 * Collects one message that is spread over several chunks. Memory follows what has arrived, not
 * what the header promises: at most twice the bytes received, or 64 KiB.
 */
export class PartialMessage {
  #bytes: Buffer = Buffer.alloc(0);
  #length = 0;

  /** Bytes collected so far. */
  get length(): number {
    return this.#length;
  }

  /** A view of what was collected so far, until more is. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /**
   * Takes bytes from `chunk` until `wanted` are collected or the chunk ends. Returns where in the
   * chunk it stopped.
   */
  fill(chunk: Buffer, start: number, wanted: number): number {
    const end = Math.min(chunk.length, start + wanted - this.#length);
    this.#reserve(this.#length + end - start, wanted);
    chunk.copy(this.#bytes, this.#length, start, end);
    this.#length += end - start;
    return end;
  }

  /** Returns the collected bytes and starts over. */
  take(): Buffer {
    const bytes = this.bytes;
    this.#bytes = Buffer.alloc(0);
    this.#length = 0;
    return bytes;
  }

  #reserve(needed: number, wanted: number): void {
    if (needed <= this.#bytes.length) {
      return;
    }
    const capacity = Math.min(wanted, Math.max(needed * 2, INITIAL_CAPACITY_BYTES));
    const grown = Buffer.allocUnsafe(capacity);
    this.#bytes.copy(grown, 0, 0, this.#length);
    returnMemory(this.#bytes);
    this.#bytes = grown;
  }
}

import { returnMemory } from "@multipooler/query-service";
import { PartialMessage } from "./partial-message.ts";

const NOTHING = Buffer.alloc(0);

/**
 * The bytes of a server that were not taken yet: the rest of the newest chunk from `offset` on, and
 * before it the beginning of a message that was split over chunks. Both readers of a connection
 * move `offset`, one at a time, and change over only between two messages.
 */
export class ByteInput {
  chunk: Buffer = NOTHING;
  offset = 0;
  readonly partial: PartialMessage = new PartialMessage();
  /** How much of the chunk was copied, so that nobody has a view of it. */
  #copiedBytes = 0;

  /** Adds bytes. Readers keep views of the chunk; it must not be written to afterwards. */
  push(chunk: Buffer): void {
    const isConsumed = this.offset === this.chunk.length;
    this.chunk = isConsumed ? chunk : Buffer.concat([this.chunk.subarray(this.offset), chunk]);
    this.offset = 0;
    this.#copiedBytes = 0;
  }

  /** Goes on to `end`. A chunk that is used up is let go of: who has a view of all of it owns it. */
  advance(end: number): void {
    this.offset = end;
    if (end === this.chunk.length) {
      this.chunk = NOTHING;
      this.offset = 0;
    }
  }

  /**
   * Copies bytes to the message that has begun, until that has `wanted` or the chunk ends. The memory of
   * a chunk that was copied as a whole, as most are in the middle of a long row, is returned at once.
   */
  collect(wanted: number): void {
    this.#copied(this.partial.fill(this.chunk, this.offset, wanted));
  }

  /**
   * Goes on to `end`, and returns what was before it as a copy in memory of its own. Where the rest of
   * the chunk is copied, too, its memory is returned.
   */
  copy(end: number): Buffer {
    const { chunk, offset } = this;
    const bytes = Buffer.allocUnsafeSlow(end - offset);
    chunk.copy(bytes, 0, offset, end);
    this.#copied(end);
    return bytes;
  }

  #copied(end: number): void {
    const { chunk } = this;
    this.#copiedBytes += end - this.offset;
    this.advance(end);
    if (this.#copiedBytes > 0 && this.#copiedBytes === chunk.length) {
      this.#copiedBytes = 0;
      returnMemory(chunk);
    }
  }

  /** Bytes that were pushed and belong to no message that was taken. */
  get unread(): Buffer {
    return Buffer.concat([this.partial.bytes, this.chunk.subarray(this.offset)]);
  }

  /** Whether everything was taken, and nothing of a message has begun. */
  get isEmpty(): boolean {
    return this.offset === this.chunk.length && this.partial.length === 0;
  }
}

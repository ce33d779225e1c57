import { PartialMessage } from "./partial-message.ts";

/**
 * The bytes of a server that were not taken yet: the rest of the newest chunk from `offset` on, and
 * before it the beginning of a message that was split over chunks. Both readers of a connection
 * move `offset`, one at a time, and change over only between two messages.
 */
export class ByteInput {
  chunk: Buffer = Buffer.alloc(0);
  offset = 0;
  readonly partial: PartialMessage = new PartialMessage();

  /** Adds bytes. Readers keep views of the chunk; it must not be written to afterwards. */
  push(chunk: Buffer): void {
    const isConsumed = this.offset === this.chunk.length;
    this.chunk = isConsumed ? chunk : Buffer.concat([this.chunk.subarray(this.offset), chunk]);
    this.offset = 0;
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

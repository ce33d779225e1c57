import { protocolViolation } from "./error.ts";
import { endCutDiagnostic, isDiagnostic, keptBytes } from "./long-diagnostic.ts";
import { PartialMessage } from "./partial-message.ts";
import { BackendMessage, HEADER_BYTES, messageTypeName } from "./protocol.ts";
import { MAX_ROW_BLOCK_BYTES } from "./response.ts";
import type { ResponseEvent } from "./response.ts";

/** PostgreSQL builds no message of 1 GiB or more: the bound of what is never kept whole. */
const MAX_STREAMED_BYTES = 0x4000_0000;

/** A run of rows, ready for a sink. */
export type RowsEvent = Extract<ResponseEvent, { type: "rows" }>;

/** What the reader finds in the stream. */
export type Frame =
  | RowsEvent
  /** One whole message of any other type. `body` is what follows the length. */
  | { readonly type: "message"; readonly code: number; readonly body: Buffer }
  /** The beginning of a CopyData message, whose content is dropped. */
  | { readonly type: "copyData" };

const COPY_DATA: Frame = { type: "copyData" };

/**
 * Cuts the byte stream of a server into frames: push a chunk, then call `next` until it returns
 * `undefined`. It can stop after any frame and go on later.
 *
 * Consecutive rows of a chunk become one frame that is a view of the chunk; finding its end costs
 * one look at each row's header. A message that spans chunks is copied together, a longer row than
 * {@link MAX_ROW_BLOCK_BYTES} is passed on as it comes. An error or a notice
 * that is too long loses its end.
 */
export class MessageReader {
  readonly #maxMessageBytes: number;
  readonly #partial = new PartialMessage();
  #chunk: Buffer = Buffer.alloc(0);
  #view: DataView = viewOf(this.#chunk);
  #offset = 0;
  /** Bytes of a row in progress that are still to come. */
  #rowBytesLeft = 0;
  /** Bytes of a message that are still to be dropped. */
  #dropBytesLeft = 0;

  constructor({ maxMessageBytes }: { readonly maxMessageBytes: number }) {
    this.#maxMessageBytes = maxMessageBytes;
  }

  /** Whether the stream stands between two messages. */
  get atBoundary(): boolean {
    return (
      this.#offset === this.#chunk.length &&
      this.#partial.length === 0 &&
      this.#rowBytesLeft === 0 &&
      this.#dropBytesLeft === 0
    );
  }

  /** What was pushed and is part of no frame yet. */
  get unread(): Buffer {
    return Buffer.concat([this.#partial.bytes, this.#chunk.subarray(this.#offset)]);
  }

  /** Adds bytes. The reader keeps views of the chunk; it must not be written to afterwards. */
  push(chunk: Buffer): void {
    const consumed = this.#offset === this.#chunk.length;
    this.#chunk = consumed ? chunk : Buffer.concat([this.#chunk.subarray(this.#offset), chunk]);
    this.#view = viewOf(this.#chunk);
    this.#offset = 0;
  }

  /**
   * The next frame, or `undefined` when more bytes are needed.
   *
   * @throws PROTOCOL_VIOLATION for a length that cannot be; the reader is of no use afterwards.
   */
  next(): Frame | undefined {
    this.#drop();
    if (this.#offset === this.#chunk.length) {
      return undefined;
    }
    if (this.#rowBytesLeft > 0) {
      return this.#rowPiece();
    }
    return this.#partial.length > 0 ? this.#continueMessage() : this.#rowRun();
  }

  #drop(): void {
    const count = Math.min(this.#dropBytesLeft, this.#chunk.length - this.#offset);
    this.#dropBytesLeft -= count;
    this.#offset += count;
  }

  /** All whole rows from here on. This loop is the hot path of every large result. */
  #rowRun(): Frame | undefined {
    const view = this.#view;
    const start = this.#offset;
    const limit = Math.min(this.#chunk.length, start + MAX_ROW_BLOCK_BYTES);
    let end = start;
    let rowCount = 0;
    while (end + HEADER_BYTES <= limit && view.getUint8(end) === BackendMessage.DataRow) {
      const size = view.getInt32(end + 1) + 1;
      if (size < HEADER_BYTES || end + size > limit) {
        break;
      }
      end += size;
      rowCount += 1;
    }
    if (rowCount === 0) {
      return this.#beginMessage();
    }
    this.#offset = end;
    return { type: "rows", block: this.#chunk.subarray(start, end), rowCount, inProgress: false };
  }

  #beginMessage(): Frame | undefined {
    const start = this.#offset;
    if (this.#chunk.length - start < HEADER_BYTES) {
      this.#offset = this.#partial.fill(this.#chunk, start, HEADER_BYTES);
      return undefined;
    }
    const code = this.#view.getUint8(start);
    const size = this.#checkedSize(code, this.#view.getInt32(start + 1));
    if (code === BackendMessage.CopyData) {
      this.#dropBytesLeft = size;
      return COPY_DATA;
    }
    if (code === BackendMessage.DataRow && size > MAX_ROW_BLOCK_BYTES) {
      this.#rowBytesLeft = size;
      return this.#rowPiece();
    }
    const kept = keptBytes(code, size);
    if (start + kept > this.#chunk.length) {
      this.#offset = this.#partial.fill(this.#chunk, start, kept);
      return undefined;
    }
    this.#offset = start + kept;
    return this.#message(this.#chunk.subarray(start, start + kept), size);
  }

  #continueMessage(): Frame | undefined {
    if (this.#partial.length < HEADER_BYTES) {
      this.#offset = this.#partial.fill(this.#chunk, this.#offset, HEADER_BYTES);
      if (this.#partial.length < HEADER_BYTES) {
        return undefined;
      }
    }
    const header = this.#partial.bytes;
    const code = header.readUInt8(0);
    const size = this.#checkedSize(code, header.readInt32BE(1));
    if (code === BackendMessage.CopyData) {
      this.#dropBytesLeft = size - this.#partial.take().length;
      return COPY_DATA;
    }
    if (code === BackendMessage.DataRow && size > MAX_ROW_BLOCK_BYTES) {
      const block = this.#partial.take();
      this.#rowBytesLeft = size - block.length;
      return { type: "rows", block, rowCount: 0, inProgress: true };
    }
    const kept = keptBytes(code, size);
    this.#offset = this.#partial.fill(this.#chunk, this.#offset, kept);
    if (this.#partial.length < kept) {
      return undefined;
    }
    const bytes = this.#partial.take();
    return code === BackendMessage.DataRow
      ? { type: "rows", block: bytes, rowCount: 1, inProgress: false }
      : this.#message(bytes, size);
  }

  /** A message of `size`, of which `bytes` are kept. */
  #message(bytes: Buffer, size: number): Frame {
    this.#dropBytesLeft = size - bytes.length;
    const body = bytes.subarray(HEADER_BYTES);
    return {
      type: "message",
      code: bytes.readUInt8(0),
      body: this.#dropBytesLeft === 0 ? body : endCutDiagnostic(body),
    };
  }

  #rowPiece(): Frame {
    const start = this.#offset;
    const end = Math.min(
      this.#chunk.length,
      start + Math.min(this.#rowBytesLeft, MAX_ROW_BLOCK_BYTES),
    );
    this.#rowBytesLeft -= end - start;
    this.#offset = end;
    const inProgress = this.#rowBytesLeft > 0;
    const block = this.#chunk.subarray(start, end);
    return { type: "rows", block, rowCount: inProgress ? 0 : 1, inProgress };
  }

  /** The size of a whole message, type byte included. */
  #checkedSize(code: number, length: number): number {
    const streamed = code === BackendMessage.DataRow || code === BackendMessage.CopyData;
    const limit = streamed || isDiagnostic(code) ? MAX_STREAMED_BYTES : this.#maxMessageBytes;
    if (length < 4 || length > limit) {
      throw protocolViolation(
        `message ${messageTypeName(code)} has a length of ${length}; at least 4 and at most ${limit} are allowed`,
      );
    }
    return length + 1;
  }
}

/** The type byte of the message that a frame is, or is part of. */
export function frameCode(frame: Frame): number {
  switch (frame.type) {
    case "rows":
      return BackendMessage.DataRow;
    case "copyData":
      return BackendMessage.CopyData;
    case "message":
      return frame.code;
  }
}

function viewOf(chunk: Buffer): DataView {
  return new DataView(chunk.buffer, chunk.byteOffset, chunk.length);
}

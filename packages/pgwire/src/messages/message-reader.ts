import { MAX_ROW_BLOCK_BYTES, ownsMemory } from "@multipooler/query-service";
import type { ByteInput } from "./byte-input.ts";
import { endCutDiagnostic, keptBytes } from "./long-diagnostic.ts";
import { checkedSize } from "./message-size.ts";
import type { SizeLimits } from "./message-size.ts";
import { BackendMessage, HEADER_BYTES } from "./protocol.ts";

/**
 * | found    | is                                                                       |
 * | -------- | ------------------------------------------------------------------------ |
 * | none     | nothing: more bytes are needed                                           |
 * | rows     | a run of DataRow, or a piece of a long one                               |
 * | copyData | the same of CopyData                                                     |
 * | message  | one whole message of any other type                                      |
 */
export type Found = "none" | "rows" | "message" | "copyData";

/**
 * Cuts the byte stream of a server into messages: push a chunk into `input`, then call `next` until
 * it returns "none". It can stop after any message and go on later. What it found is in its fields
 * until the next call, so that nothing is allocated for a message that nobody keeps.
 *
 * Consecutive rows of a chunk are found at once, as a view of the chunk; finding their end costs one
 * look at each row's header. A message that spans chunks is copied together. A row longer than
 * MAX_ROW_BLOCK_BYTES is found in pieces. What is said of rows holds for CopyData, too. An error or a
 * notice that is too long loses its end.
 */
export class MessageReader {
  readonly input: ByteInput;
  readonly #limits: SizeLimits;
  /** Type byte of what was found. */
  code = 0;
  /** Of rows: how many end in what was found. */
  rowCount = 0;
  /** Of rows: more pieces of this row follow. */
  inProgress = false;
  #source: Buffer = Buffer.alloc(0);
  #start = 0;
  #end = 0;
  /** Bytes of a row in progress that are still to come. */
  #rowBytesLeft = 0;
  /** Bytes of a diagnostic that are still to be dropped. */
  #dropBytesLeft = 0;

  constructor({ input, ...limits }: SizeLimits & { readonly input: ByteInput }) {
    this.input = input;
    this.#limits = limits;
  }

  /** Whether the stream stands between two messages. */
  get atBoundary(): boolean {
    return this.isBetweenMessages && this.input.isEmpty;
  }

  /** Whether the next byte, if there is one, begins a message. */
  get isBetweenMessages(): boolean {
    return this.input.partial.length === 0 && this.#rowBytesLeft === 0 && this.#dropBytesLeft === 0;
  }

  /** A view of what was found: whole messages, header included. */
  get bytes(): Buffer {
    return this.#source.subarray(this.#start, this.#end);
  }

  /** The last byte of what was found. */
  get lastByte(): number | undefined {
    return this.#source[this.#end - 1];
  }

  /** How long what was found is. */
  get byteLength(): number {
    return this.#end - this.#start;
  }

  /**
   * Finds what is next.
   *
   * @throws PROTOCOL_VIOLATION for a length that cannot be; the reader is of no use afterwards.
   */
  next(): Found {
    const { input } = this;
    if (this.#dropBytesLeft > 0) {
      const count = Math.min(this.#dropBytesLeft, input.chunk.length - input.offset);
      this.#dropBytesLeft -= count;
      input.offset += count;
    }
    if (input.offset === input.chunk.length) {
      return "none";
    }
    if (this.#rowBytesLeft > 0) {
      return this.#rowPiece();
    }
    return input.partial.length > 0 ? this.#continueMessage() : this.#rowRun();
  }

  /** All whole rows from here on. This loop is the hot path of every large result. */
  #rowRun(): Found {
    const { chunk, offset: start } = this.input;
    const limit = Math.min(chunk.length, start + MAX_ROW_BLOCK_BYTES);
    const code = chunk[start];
    if (!isRow(code)) {
      return this.#beginMessage();
    }
    let end = start;
    let rowCount = 0;
    while (end + HEADER_BYTES <= limit && chunk[end] === code) {
      const size = chunk.readInt32BE(end + 1) + 1;
      if (size < HEADER_BYTES || end + size > limit) {
        break;
      }
      end += size;
      rowCount += 1;
    }
    if (rowCount === 0) {
      return this.#beginMessage();
    }
    return this.#rows(code, this.#takeRun(code, end), rowCount);
  }

  /**
   * The rows up to `end`. In the middle of a result they are copied, so that they are all that is in
   * their memory: their receiver can return that, and that of the chunk is returned here.
   */
  #takeRun(code: number, end: number): Buffer {
    const { input } = this;
    const { chunk, offset: start } = input;
    const goesOn = end === chunk.length || chunk[end] === code;
    if (code === BackendMessage.DataRow && goesOn && ownsMemory(chunk)) {
      return input.copy(end);
    }
    input.advance(end);
    return chunk.subarray(start, end);
  }

  #beginMessage(): Found {
    const { input } = this;
    const { chunk, offset: start } = input;
    if (chunk.length - start < HEADER_BYTES) {
      input.collect(HEADER_BYTES);
      return "none";
    }
    const code = chunk.readUInt8(start);
    const size = checkedSize(code, chunk.readInt32BE(start + 1), this.#limits);
    this.code = code;
    if (isRow(code) && size > MAX_ROW_BLOCK_BYTES) {
      this.#rowBytesLeft = size;
      return this.#rowPiece();
    }
    const kept = keptBytes(code, size);
    if (start + kept > chunk.length) {
      input.collect(kept);
      return "none";
    }
    const end = start + kept;
    input.advance(end);
    return kept === size
      ? this.#message(chunk, start, end)
      : this.#cutMessage(chunk.subarray(start, end), size);
  }

  #continueMessage(): Found {
    const { input } = this;
    const { partial } = input;
    if (partial.length < HEADER_BYTES) {
      input.collect(HEADER_BYTES);
      if (partial.length < HEADER_BYTES) {
        return "none";
      }
    }
    const header = partial.bytes;
    const code = header.readUInt8(0);
    const size = checkedSize(code, header.readInt32BE(1), this.#limits);
    this.code = code;
    if (isRow(code) && size > MAX_ROW_BLOCK_BYTES) {
      const piece = partial.take();
      this.#rowBytesLeft = size - piece.length;
      return this.#rows(code, piece, 0);
    }
    const kept = keptBytes(code, size);
    input.collect(kept);
    if (partial.length < kept) {
      return "none";
    }
    const bytes = partial.take();
    if (isRow(code)) {
      return this.#rows(code, bytes, 1);
    }
    return kept === size ? this.#message(bytes, 0, kept) : this.#cutMessage(bytes, size);
  }

  #rowPiece(): Found {
    const { input } = this;
    const { chunk, offset: start } = input;
    const count = Math.min(this.#rowBytesLeft, MAX_ROW_BLOCK_BYTES, chunk.length - start);
    this.#rowBytesLeft -= count;
    input.advance(start + count);
    const piece = chunk.subarray(start, start + count);
    return this.#rows(this.code, piece, this.#rowBytesLeft > 0 ? 0 : 1);
  }

  #rows(code: number, bytes: Buffer, rowCount: number): Found {
    this.code = code;
    this.rowCount = rowCount;
    this.inProgress = this.#rowBytesLeft > 0;
    this.#source = bytes;
    this.#start = 0;
    this.#end = bytes.length;
    return code === BackendMessage.DataRow ? "rows" : "copyData";
  }

  #message(source: Buffer, start: number, end: number): Found {
    this.#source = source;
    this.#start = start;
    this.#end = end;
    return "message";
  }

  /** A diagnostic of `size` bytes, of which only `kept` are kept. */
  #cutMessage(kept: Buffer, size: number): Found {
    this.#dropBytesLeft = size - kept.length;
    const bytes = endCutDiagnostic(kept);
    return this.#message(bytes, 0, bytes.length);
  }
}

/** Whether a message is handed over in runs and pieces. */
function isRow(code: number | undefined): code is number {
  return code === BackendMessage.DataRow || code === BackendMessage.CopyData;
}

import type { SpanRequest } from "../connection/request.ts";
import type { ByteInput } from "./byte-input.ts";
import { endCutDiagnostic } from "./long-diagnostic.ts";
import { checkedSize } from "./message-size.ts";
import type { SizeLimits } from "./message-size.ts";
import { BackendMessage, HEADER_BYTES } from "./protocol.ts";

/** A longer error is judged by its first 64 KiB, where PostgreSQL puts severity and SQLSTATE. */
const INSPECTED_BYTES = 65_536;

type Step = "message" | "passed" | "none";

/**
 * Passes the answer of a server on as views of its chunks, as few and as long as possible. Walks
 * the headers, and stops at the messages that the connection itself has to read: ErrorResponse,
 * ParameterStatus and ReadyForQuery. One of these that is split over chunks is held back until it is
 * whole, or 64 KiB of an error are there; of every other message only a split header is.
 */
export class SpanReader {
  readonly #input: ByteInput;
  readonly #limits: SizeLimits;
  /** Type byte of the message at which it stopped. */
  code = 0;
  #source: Buffer = Buffer.alloc(0);
  #start = 0;
  #end = 0;
  /** The message at which it stopped, where it is no part of the chunk. */
  #held: Buffer | undefined;
  /** Where in the chunk begins what was not passed on yet; -1: nothing is open. */
  #spanStart = -1;
  /** Bytes still to come of a message that is passed on, or dropped, as it comes. */
  #bytesLeft = 0;
  #isDropped = false;
  #isBehind = false;
  #rowCount = 0;
  #failure: { readonly cause: unknown } | undefined;

  constructor({ input, ...limits }: SizeLimits & { readonly input: ByteInput }) {
    this.#input = input;
    this.#limits = limits;
  }

  /** Whether the next byte, if there is one, begins a message. */
  get isBetweenMessages(): boolean {
    return this.#input.partial.length === 0 && this.#bytesLeft === 0;
  }

  /** Whether the request was behind at its last span. */
  get isBehind(): boolean {
    return this.#isBehind;
  }

  /** The message at which it stopped. Of an error beyond 64 KiB the beginning, with an end. */
  get message(): Buffer {
    return this.#source.subarray(this.#start, this.#end);
  }

  /** The last byte of {@link message}. */
  get lastByte(): number | undefined {
    return this.#source[this.#end - 1];
  }

  get byteLength(): number {
    return this.#end - this.#start;
  }

  /** The request takes more. */
  caughtUp(): void {
    this.#isBehind = false;
  }

  /**
   * Returns true at a message to be inspected; `pass`, `withhold` or `finish` it then. False: the
   * chunk is used up, and everything before was passed on.
   *
   * @throws PROTOCOL_VIOLATION
   */
  next(request: SpanRequest): boolean {
    const input = this.#input;
    for (;;) {
      this.#skip();
      if (input.offset === input.chunk.length) {
        this.#emit(request, input.offset);
        return false;
      }
      const step = input.partial.length > 0 ? this.#continue(request) : this.#begin(request);
      if (step !== "passed") {
        return step === "message";
      }
    }
  }

  /** Passes the message on. */
  pass(request: SpanRequest): void {
    if (this.#held !== undefined) {
      this.give(request, this.#held);
      this.#held = undefined;
    }
  }

  /** Passes on only what was before the message. */
  withhold(request: SpanRequest): void {
    if (this.#held === undefined) {
      this.#emit(request, this.#start);
    }
    this.#held = undefined;
  }

  /** Passes the message on as the last of the answer. Returns what the request failed with. */
  finish(request: SpanRequest): { readonly cause: unknown } | undefined {
    this.pass(request);
    this.#emit(request, this.#input.offset);
    return this.end();
  }

  /** The answer is over. Returns what the request failed with. */
  end(): { readonly cause: unknown } | undefined {
    const failure = this.#failure;
    this.#failure = undefined;
    this.#isBehind = false;
    return failure;
  }

  /** The rows that have begun since the last call. */
  takeRowCount(): number {
    const count = this.#rowCount;
    this.#rowCount = 0;
    return count;
  }

  #countRow(code: number): void {
    if (code === BackendMessage.DataRow) {
      this.#rowCount += 1;
    }
  }

  #skip(): void {
    if (this.#bytesLeft === 0) {
      return;
    }
    const { chunk, offset } = this.#input;
    if (this.#spanStart === -1 && !this.#isDropped) {
      this.#spanStart = offset;
    }
    const count = Math.min(this.#bytesLeft, chunk.length - offset);
    this.#bytesLeft -= count;
    this.#input.offset = offset + count;
  }

  #begin(request: SpanRequest): Step {
    const input = this.#input;
    const { chunk, offset } = input;
    if (this.#spanStart === -1) {
      this.#spanStart = offset;
    }
    if (chunk.length - offset < HEADER_BYTES) {
      this.#emit(request, offset);
      input.collect(HEADER_BYTES);
      return "none";
    }
    const code = chunk.readUInt8(offset);
    const size = checkedSize(code, chunk.readInt32BE(offset + 1), this.#limits);
    if (!isInspected(code)) {
      this.#isDropped = !isWanted(request, code);
      if (this.#isDropped) {
        this.#emit(request, offset);
      }
      this.#bytesLeft = size;
      this.#countRow(code);
      return "passed";
    }
    this.code = code;
    if (offset + size > chunk.length) {
      this.#emit(request, offset);
      return this.#hold(size);
    }
    input.offset = offset + size;
    this.#source = chunk;
    this.#start = offset;
    this.#end = input.offset;
    return "message";
  }

  #continue(request: SpanRequest): Step {
    const input = this.#input;
    const { partial } = input;
    if (partial.length < HEADER_BYTES) {
      input.collect(HEADER_BYTES);
      if (partial.length < HEADER_BYTES) {
        return "none";
      }
    }
    const code = partial.bytes.readUInt8(0);
    const size = checkedSize(code, partial.bytes.readInt32BE(1), this.#limits);
    if (isInspected(code)) {
      this.code = code;
      return this.#hold(size);
    }
    const header = partial.take();
    this.#isDropped = !isWanted(request, code);
    if (!this.#isDropped) {
      this.give(request, header);
    }
    this.#bytesLeft = size - header.length;
    this.#countRow(code);
    return "passed";
  }

  /** Collects a message that is to be inspected. */
  #hold(size: number): Step {
    const input = this.#input;
    const { partial } = input;
    const isLong = this.code === BackendMessage.ErrorResponse && size > INSPECTED_BYTES;
    const kept = isLong ? INSPECTED_BYTES : size;
    input.collect(kept);
    if (partial.length < kept) {
      return "none";
    }
    this.#held = partial.take();
    this.#isDropped = false;
    this.#bytesLeft = size - kept;
    this.#source = isLong ? endCutDiagnostic(this.#held) : this.#held;
    this.#start = 0;
    this.#end = this.#source.length;
    return "message";
  }

  /** Passes on what is open, up to `end` in the chunk. */
  #emit(request: SpanRequest, end: number): void {
    const start = this.#spanStart;
    this.#spanStart = -1;
    if (start !== -1 && start < end) {
      this.give(request, this.#input.chunk.subarray(start, end));
    }
  }

  /** Passes on bytes that are no part of the chunk's span. */
  give(request: SpanRequest, bytes: Uint8Array): void {
    if (this.#failure !== undefined) {
      return;
    }
    try {
      this.#isBehind = !request.span(bytes);
    } catch (cause) {
      this.#failure = { cause };
    }
  }
}

function isInspected(code: number): boolean {
  return (
    code === BackendMessage.ReadyForQuery ||
    code === BackendMessage.ErrorResponse ||
    code === BackendMessage.ParameterStatus
  );
}

function isWanted(request: SpanRequest, code: number): boolean {
  return (
    request.message === undefined ||
    code === BackendMessage.DataRow ||
    code === BackendMessage.CopyData ||
    request.message(code)
  );
}

import { HEADER_BYTES } from "@multipooler/pgwire";
import { messageSize } from "./frontend-message.ts";

/** What a chunk costs besides its bytes. */
const CHUNK_COST_BYTES = 200;

const NOTHING: Buffer = Buffer.alloc(0);

/**
 * The messages that a session has been given and has not sent on. A cursor goes over them, message
 * by message; everything between what was taken last and the cursor can be taken as one run.
 */
export class MessageInput {
  readonly #chunks: Buffer[] = [];
  /** Where in the first chunk the next run begins. */
  #start = 0;
  #byteLength = 0;
  /** The chunk that the cursor is in, and where in it the next message begins. */
  #index = 0;
  #next = 0;
  /** The message before the cursor. */
  #chunk: Buffer = NOTHING;
  #bodyStart = 0;
  #end = 0;
  /** Where in the next run the message before the cursor begins, and where it ends. */
  #offset = 0;
  #runLength = 0;

  /** What it keeps in memory, about: many small chunks cost more than their bytes. */
  get keptBytes(): number {
    return this.#byteLength + this.#chunks.length * CHUNK_COST_BYTES;
  }

  /** The chunk that holds the current message, from {@link bodyStart} to {@link bodyEnd}. */
  get chunk(): Buffer {
    return this.#chunk;
  }

  get bodyStart(): number {
    return this.#bodyStart;
  }

  get bodyEnd(): number {
    return this.#end;
  }

  /** Where the current message begins in the run that {@link take} will return. */
  get offset(): number {
    return this.#offset;
  }

  /** Adds whole messages, which must not be written to any more. */
  push(messages: Uint8Array): void {
    if (messages.length === 0) {
      return;
    }
    this.#chunks.push(
      Buffer.isBuffer(messages)
        ? messages
        : Buffer.from(messages.buffer, messages.byteOffset, messages.byteLength),
    );
    this.#byteLength += messages.length;
  }

  /** The type byte of the next message, without moving to it; -1: there is none. */
  peek(): number {
    const chunk = this.#chunks[this.#index];
    if (chunk === undefined) {
      return -1;
    }
    if (this.#next < chunk.length) {
      return chunk[this.#next] ?? -1;
    }
    return this.#chunks[this.#index + 1]?.[0] ?? -1;
  }

  /**
   * Moves over the message that {@link peek} saw. False: it is cut short or its length cannot be, so
   * that nothing after it can be told apart.
   */
  advance(): boolean {
    let chunk = this.#chunks[this.#index] ?? NOTHING;
    if (this.#next === chunk.length) {
      this.#index += 1;
      this.#next = 0;
      chunk = this.#chunks[this.#index] ?? NOTHING;
    }
    const size = messageSize(chunk, this.#next);
    if (size === 0) {
      return false;
    }
    this.#chunk = chunk;
    this.#bodyStart = this.#next + HEADER_BYTES;
    this.#end = this.#next + size;
    this.#next = this.#end;
    this.#offset = this.#runLength;
    this.#runLength += size;
    return true;
  }

  /** Moves the cursor back to where the next run begins. */
  rewind(): void {
    this.#index = 0;
    this.#next = this.#start;
    this.#runLength = 0;
  }

  /** Takes everything up to the cursor: a view where it lies in one chunk. */
  take(): Buffer {
    this.#runLength = 0;
    const first = this.#chunks[0] ?? NOTHING;
    if (this.#index > 0) {
      return this.#takeAcross(first);
    }
    const isWhole = this.#start === 0 && this.#next === first.length;
    const run = isWhole ? first : first.subarray(this.#start, this.#next);
    this.#byteLength -= run.length;
    this.#start = this.#next;
    this.#dropUsed();
    return run;
  }

  /** Drops everything, read or not. */
  clear(): void {
    this.#chunks.length = 0;
    this.#byteLength = 0;
    this.#start = 0;
    this.#index = 0;
    this.#next = 0;
    this.#runLength = 0;
    this.#chunk = NOTHING;
  }

  #takeAcross(first: Buffer): Buffer {
    const parts = [first.subarray(this.#start)];
    for (const chunk of this.#chunks.slice(1, this.#index)) {
      parts.push(chunk);
    }
    parts.push((this.#chunks[this.#index] ?? NOTHING).subarray(0, this.#next));
    const run = Buffer.concat(parts);
    this.#chunks.splice(0, this.#index);
    this.#byteLength -= run.length;
    this.#index = 0;
    this.#start = this.#next;
    this.#dropUsed();
    return run;
  }

  /** Lets go of the first chunk once nothing of it is left. */
  #dropUsed(): void {
    if (this.#start === this.#chunks[0]?.length) {
      if (this.#chunks.length === 1) {
        this.#chunks.pop();
      } else {
        this.#chunks.shift();
      }
      this.#start = 0;
      this.#next = 0;
      this.#chunk = NOTHING;
    }
  }
}

import { sizeInHeader } from "../messages/message-size.ts";
import { PartialMessage } from "../messages/partial-message.ts";
import { HEADER_BYTES, messageTypeName } from "../messages/protocol.ts";
import { clientFault } from "./client-fault.ts";

/** A length counts itself. */
const MIN_LENGTH = 4;
const NOTHING: Buffer = Buffer.alloc(0);

/**
 * Cuts what a client sends into runs of whole messages. A run is a view of the chunk that it came in;
 * only a message that is spread over chunks is copied.
 */
export class FrontendFraming {
  readonly #maxMessageBytes: number;
  readonly #partial = new PartialMessage();
  #chunk: Buffer = NOTHING;
  #offset = 0;

  /** `maxMessageBytes` bounds the length of a message, header included. */
  constructor({ maxMessageBytes }: { readonly maxMessageBytes: number }) {
    this.#maxMessageBytes = maxMessageBytes;
  }

  /** Bytes of a message that is not complete. */
  get partialBytes(): number {
    return this.#partial.length;
  }

  /** Adds bytes, which must not be written to any more. Take all runs before the next chunk. */
  push(chunk: Buffer): void {
    this.#chunk = chunk;
    this.#offset = 0;
  }

  /**
   * The next run of whole messages, or `undefined` when there is none until the next chunk.
   *
   * @throws PROTOCOL_VIOLATION, with the `diagnostic` for the client, for a length that cannot be or
   * is above the limit; nothing after it can be told apart. Runs before it were returned.
   */
  next(): Buffer | undefined {
    if (this.#offset === this.#chunk.length) {
      this.#chunk = NOTHING;
      this.#offset = 0;
      return undefined;
    }
    return this.#partial.length > 0 ? this.#completed() : this.#wholeMessages();
  }

  #wholeMessages(): Buffer | undefined {
    const chunk = this.#chunk;
    const start = this.#offset;
    let end = start;
    while (chunk.length - end >= HEADER_BYTES) {
      const size = sizeInHeader(chunk, end);
      if (!this.#isPossible(size)) {
        if (end > start) {
          break;
        }
        throw this.#fault(chunk, end);
      }
      if (size > chunk.length - end) {
        break;
      }
      end += size;
    }
    this.#offset = end;
    if (start === 0 && end === chunk.length) {
      return chunk;
    }
    return end > start ? chunk.subarray(start, end) : this.#completed();
  }

  /** The message that began in an earlier chunk, or begins at the end of this one. */
  #completed(): Buffer | undefined {
    const partial = this.#partial;
    if (partial.length < HEADER_BYTES) {
      this.#offset = partial.fill(this.#chunk, this.#offset, HEADER_BYTES);
      if (partial.length < HEADER_BYTES) {
        return undefined;
      }
    }
    const size = sizeInHeader(partial.bytes, 0);
    if (!this.#isPossible(size)) {
      throw this.#fault(partial.bytes, 0);
    }
    this.#offset = partial.fill(this.#chunk, this.#offset, size);
    return partial.length === size ? partial.take() : undefined;
  }

  #isPossible(size: number): boolean {
    return size > MIN_LENGTH && size <= this.#maxMessageBytes;
  }

  #fault(bytes: Buffer, start: number): Error {
    const length = bytes.readInt32BE(start + 1);
    const name = messageTypeName(bytes[start] ?? 0);
    return length < MIN_LENGTH
      ? clientFault("08P01", `invalid message length: ${length} of message ${name}`)
      : clientFault(
          "54000",
          `message ${name} of ${length + 1} bytes is longer than the ${this.#maxMessageBytes} that are allowed`,
        );
  }
}

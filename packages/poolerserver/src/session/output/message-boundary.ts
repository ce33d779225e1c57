import { HEADER_BYTES, sizeInHeader } from "@multipooler/pgwire";

/** ParseComplete, BindComplete, CloseComplete, and the last message of a Describe or an Execute. */
const REPLIES: ReadonlySet<number> = new Set(Buffer.from("123TnCIs"));

/**
 * Follows a stream of messages that comes in pieces, to know where it stands, and how far the answer
 * has come.
 */
export class MessageBoundary {
  /** Bytes of the current message that are still to come. */
  #left = 0;
  /** Of a header that is split: how much is there, and the length as far as it is read. */
  #headerBytes = 0;
  #length = 0;
  /** CopyInResponse messages so far. */
  copyIns = 0;
  /** ErrorResponse messages so far. */
  errors = 0;
  /** Messages of the extended protocol that were answered without an error before the first error. */
  replies = 0;

  /** Bytes that are certainly missing to the next boundary. */
  get missing(): number {
    return this.#headerBytes > 0 ? HEADER_BYTES - this.#headerBytes : this.#left;
  }

  advance(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#left > 0) {
        const count = Math.min(this.#left, bytes.length - at);
        this.#left -= count;
        at += count;
      } else if (this.#headerBytes === 0 && bytes.length - at >= HEADER_BYTES) {
        this.#begin(bytes[at]);
        this.#left = sizeInHeader(bytes, at) - HEADER_BYTES;
        at += HEADER_BYTES;
      } else {
        this.#headerByte(bytes[at] ?? 0);
        at += 1;
      }
    }
  }

  #headerByte(byte: number): void {
    if (this.#headerBytes === 0) {
      this.#begin(byte);
      this.#length = 0;
    } else {
      this.#length = this.#length * 256 + byte;
    }
    this.#headerBytes += 1;
    if (this.#headerBytes === HEADER_BYTES) {
      this.#headerBytes = 0;
      this.#left = this.#length - 4;
    }
  }

  #begin(code: number | undefined): void {
    if (code === 0x47) {
      this.copyIns += 1;
    } else if (code === 0x45) {
      this.errors += 1;
    } else if (this.errors === 0 && code !== undefined && REPLIES.has(code)) {
      this.replies += 1;
    }
  }
}

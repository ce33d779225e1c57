import { protocolViolation } from "./error.ts";

/** Reads the body of one message from left to right; whatever is not there is a protocol violation. */
export class BodyReader {
  readonly #body: Buffer;
  readonly #message: string;
  #offset = 0;

  constructor({ body, message }: { readonly body: Buffer; readonly message: string }) {
    this.#body = body;
    this.#message = message;
  }

  get remaining(): number {
    return this.#body.length - this.#offset;
  }

  uint8(): number {
    return this.#body.readUInt8(this.#advance(1));
  }

  int16(): number {
    return this.#body.readInt16BE(this.#advance(2));
  }

  int32(): number {
    return this.#body.readInt32BE(this.#advance(4));
  }

  uint32(): number {
    return this.#body.readUInt32BE(this.#advance(4));
  }

  /** Text up to a zero byte. Bytes that are not UTF-8 become U+FFFD. */
  string(): string {
    const end = this.#body.indexOf(0, this.#offset);
    if (end === -1) {
      throw protocolViolation(`a text in ${this.#message} has no end`);
    }
    const text = this.#body.toString("utf8", this.#offset, end);
    this.#offset = end + 1;
    return text;
  }

  /** What has not been read yet. */
  rest(): Buffer {
    return this.#body.subarray(this.#advance(this.remaining));
  }

  /** Asserts that everything was read. */
  end(): void {
    if (this.remaining > 0) {
      throw protocolViolation(
        `${this.#message} is ${this.remaining} bytes longer than its content`,
      );
    }
  }

  #advance(count: number): number {
    const start = this.#offset;
    if (this.remaining < count) {
      throw protocolViolation(`${this.#message} is shorter than its content`);
    }
    this.#offset = start + count;
    return start;
  }
}

/** Bytes that are not the message that they should be. */
export class MalformedMessageError extends Error {
  override readonly name = "MalformedMessageError";
}

const HEADER_BYTES = 5;
/** The number of columns is an int16. */
const MAX_COLUMNS = 0x7fff;

/**
 * Reads the body of one message from left to right.
 *
 * @throws {@link MalformedMessageError} for whatever is not there.
 */
export class MessageBody {
  readonly #body: Buffer;
  readonly #message: string;
  #offset = 0;

  /** `body` is what follows the length; `message` is the name that errors tell. */
  constructor({ body, message }: { readonly body: Uint8Array; readonly message: string }) {
    this.#body = asBuffer(body);
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

  uint16(): number {
    return this.#body.readUInt16BE(this.#advance(2));
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
      throw new MalformedMessageError(`a text in ${this.#message} has no end`);
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
      throw new MalformedMessageError(
        `${this.#message} is ${this.remaining} bytes longer than its content`,
      );
    }
  }

  #advance(count: number): number {
    const start = this.#offset;
    if (this.remaining < count) {
      throw new MalformedMessageError(`${this.#message} is shorter than its content`);
    }
    this.#offset = start + count;
    return start;
  }
}

/**
 * The body of `bytes`, which are to be one whole message of the type `code`.
 *
 * @throws {@link MalformedMessageError}
 */
export function bodyOf(bytes: Uint8Array, code: number, message: string): MessageBody {
  const whole = asBuffer(bytes);
  if (whole.length < HEADER_BYTES || whole[0] !== code) {
    throw new MalformedMessageError(`these bytes are no ${message}`);
  }
  if (whole.readInt32BE(1) !== whole.length - 1) {
    throw new MalformedMessageError(`the length of ${message} is not that of its bytes`);
  }
  return new MessageBody({ body: whole.subarray(HEADER_BYTES), message });
}

/** One message: the type byte, the length, the body. */
export function messageOf(code: number, body: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + body.length);
  bytes[0] = code;
  bytes.writeInt32BE(body.length + 4, 1);
  bytes.set(body, HEADER_BYTES);
  return bytes;
}

/**
 * The number of columns, with which DataRow and RowDescription begin.
 *
 * @throws {@link MalformedMessageError} for more than a message can announce.
 */
export function columnCount(columns: number): Buffer {
  if (columns > MAX_COLUMNS) {
    throw new MalformedMessageError(
      `a message holds at most ${MAX_COLUMNS} columns, and these are ${columns}`,
    );
  }
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(columns);
  return bytes;
}

/** @throws {@link MalformedMessageError} for a text that a message cannot hold. */
export function zeroTerminated(text: string): Buffer {
  if (text.includes("\0")) {
    throw new MalformedMessageError("a text with a NUL character cannot be sent");
  }
  return Buffer.from(`${text}\0`);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

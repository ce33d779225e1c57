/**
 * A protobuf message by its field numbers: text and messages as bytes, integers as numbers. Written
 * from the specification of the encoding, for tests that must not trust generated code.
 * https://protobuf.dev/programming-guides/encoding/
 */
export class WireMessage {
  readonly #fields = new Map<number, (bigint | Buffer)[]>();

  constructor(bytes: Uint8Array) {
    const buffer = Buffer.from(bytes);
    for (let at = 0; at < buffer.length;) {
      const tag = varint(buffer, at);
      const [field, wireType] = [Number(tag.value >> 3n), Number(tag.value & 7n)];
      const first = varint(buffer, tag.end);
      if (wireType === 0) {
        this.#add(field, first.value);
        at = first.end;
      } else if (wireType === 2) {
        at = first.end + Number(first.value);
        if (at > buffer.length) {
          throw new Error(`field ${field} is cut off`);
        }
        this.#add(field, buffer.subarray(first.end, at));
      } else {
        throw new Error(`field ${field} has wire type ${wireType}`);
      }
    }
  }

  /** The numbers of the fields that are there, in the order of their first appearance. */
  get numbers(): number[] {
    return [...this.#fields.keys()];
  }

  integer(field: number): bigint | undefined {
    const value = this.#fields.get(field)?.[0];
    if (value === undefined || typeof value === "bigint") {
      return value;
    }
    throw new Error(`field ${field} is no integer`);
  }

  texts(field: number): string[] {
    return this.#bytes(field).map((bytes) => bytes.toString());
  }

  text(field: number): string | undefined {
    return this.texts(field)[0];
  }

  messages(field: number): WireMessage[] {
    return this.#bytes(field).map((bytes) => new WireMessage(bytes));
  }

  message(field: number): WireMessage {
    const [message] = this.messages(field);
    if (message === undefined) {
      throw new Error(`field ${field} is missing`);
    }
    return message;
  }

  #add(field: number, value: bigint | Buffer): void {
    this.#fields.set(field, [...(this.#fields.get(field) ?? []), value]);
  }

  #bytes(field: number): Buffer[] {
    return (this.#fields.get(field) ?? []).map((value) => {
      if (value instanceof Buffer) {
        return value;
      }
      throw new Error(`field ${field} is an integer`);
    });
  }
}

function varint(buffer: Buffer, start: number): { readonly value: bigint; readonly end: number } {
  let value = 0n;
  for (let at = start, shift = 0n; ; at += 1, shift += 7n) {
    const byte = buffer[at];
    if (byte === undefined) {
      throw new Error("an integer is cut off");
    }
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) {
      return { value, end: at + 1 };
    }
  }
}

/** Tags of ASN.1 that certificates use. */
const Tag = {
  Boolean: 0x01,
  Integer: 0x02,
  BitString: 0x03,
  OctetString: 0x04,
  ObjectId: 0x06,
  Utf8String: 0x0c,
  GeneralizedTime: 0x18,
  Sequence: 0x30,
  Set: 0x31,
} as const;

/** A value of DER: tag, length, content. */
export function tagged(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  return Buffer.concat([Buffer.from([tag]), lengthOf(body.length), body]);
}

export function sequence(...content: readonly Uint8Array[]): Buffer {
  return tagged(Tag.Sequence, ...content);
}

export function set(...content: readonly Uint8Array[]): Buffer {
  return tagged(Tag.Set, ...content);
}

export function boolean(value: boolean): Buffer {
  return tagged(Tag.Boolean, Buffer.from([value ? 0xff : 0]));
}

/** A number that is not negative, given by its bytes. */
export function integer(bytes: Uint8Array): Buffer {
  const [first = 0] = bytes;
  return tagged(Tag.Integer, first < 0x80 ? bytes : Buffer.concat([Buffer.alloc(1), bytes]));
}

export function bitString(bytes: Uint8Array): Buffer {
  return tagged(Tag.BitString, Buffer.alloc(1), bytes);
}

export function octetString(bytes: Uint8Array): Buffer {
  return tagged(Tag.OctetString, bytes);
}

export function utf8String(text: string): Buffer {
  return tagged(Tag.Utf8String, Buffer.from(text));
}

/** To the second, in UTC. */
export function generalizedTime(date: Date): Buffer {
  const text = `${date.toISOString().replaceAll(/[-:T]|\.\d+Z$/g, "")}Z`;
  return tagged(Tag.GeneralizedTime, Buffer.from(text));
}

/** An identifier such as "2.5.4.3". */
export function objectId(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split(".").map(Number);
  const arcs = [first * 40 + second, ...rest].flatMap(base128);
  return tagged(Tag.ObjectId, Buffer.from(arcs));
}

function base128(value: number): number[] {
  const digits = [value & 0x7f];
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) {
    digits.unshift((rest & 0x7f) | 0x80);
  }
  return digits;
}

function lengthOf(length: number): Buffer {
  if (length < 0x80) {
    return Buffer.from([length]);
  }
  return length < 0x100
    ? Buffer.from([0x81, length])
    : Buffer.from([0x82, length >>> 8, length & 0xff]);
}

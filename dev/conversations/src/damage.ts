import fc from "fast-check";

/** What happens to one message on its way. */
export interface Damage {
  /** The message, counted from 0. */
  readonly at: number;
  readonly kind:
    | "none"
    | "bit"
    | "byte"
    | "cut"
    | "lost piece"
    | "noise"
    | "twice"
    | "length"
    | "silence";
  readonly position: number;
  readonly value: number;
}

/** Lengths and counts at which something changes. */
const EDGES: readonly number[] = [
  0, 1, -1, 3, 4, 5, 7, 8, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, -0x8000_0000,
];
const LONGEST_PIECE_BYTES = 50;
const HEADER_BYTES = 5;

/** A damage of one of the first `messages` messages. */
export function anyDamage(messages: number): fc.Arbitrary<Damage> {
  return fc.record({
    at: fc.nat(Math.max(0, messages - 1)),
    kind: fc.constantFrom(
      "none",
      "bit",
      "byte",
      "cut",
      "lost piece",
      "noise",
      "twice",
      "length",
      "silence",
    ),
    position: fc.nat(),
    value: fc.oneof(fc.constantFrom(...EDGES), fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff })),
  });
}

/** The message with number `at` after those damages that are for it. */
export function damagedMessage(original: Buffer, at: number, damages: readonly Damage[]): Buffer {
  return damages
    .filter((damage) => damage.at === at)
    .reduce<Buffer>((bytes, damage) => damagedBytes(bytes, damage), original);
}

/** A copy of the bytes with this damage, wherever it was meant for. */
export function damagedBytes(original: Buffer, { kind, position, value }: Damage): Buffer {
  if (original.length === 0) {
    return original;
  }
  const bytes = Buffer.from(original);
  const offset = position % bytes.length;
  const pieceBytes = position % LONGEST_PIECE_BYTES;
  switch (kind) {
    case "none":
      return bytes;
    case "bit":
      return bytes.fill((bytes[offset] ?? 0) ^ (1 << (value & 7)), offset, offset + 1);
    case "byte":
      return bytes.fill(value & 0xff, offset, offset + 1);
    case "cut":
      return bytes.subarray(0, offset);
    case "lost piece":
      return Buffer.concat([bytes.subarray(0, offset), bytes.subarray(offset + pieceBytes)]);
    case "noise":
      return Buffer.concat([
        bytes.subarray(0, offset),
        Buffer.alloc(pieceBytes, value & 0xff),
        bytes.subarray(offset),
      ]);
    case "twice":
      return Buffer.concat([bytes, bytes]);
    case "length":
      if (bytes.length >= HEADER_BYTES) {
        bytes.writeInt32BE(value, 1);
      }
      return bytes;
    case "silence":
      return Buffer.alloc(0);
  }
}

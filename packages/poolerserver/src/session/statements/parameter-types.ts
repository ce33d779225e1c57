const NO_TYPES: readonly number[] = [];

/** The types in a Parse message, from `start` on; `undefined`: it does not end with them. */
export function readTypes(
  message: Buffer,
  start: number,
  end: number,
): readonly number[] | undefined {
  if (start + 2 > end) {
    return undefined;
  }
  const count = message.readUInt16BE(start);
  if (start + 2 + 4 * count !== end) {
    return undefined;
  }
  if (count === 0) {
    return NO_TYPES;
  }
  return Array.from({ length: count }, (_, index) => message.readUInt32BE(start + 2 + 4 * index));
}

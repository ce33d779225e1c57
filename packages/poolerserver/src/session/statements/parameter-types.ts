const NO_TYPES: readonly number[] = [];

/** The types in a Parse message, from `start` on; `undefined`: it is cut short. */
export function readTypes(
  message: Buffer,
  start: number,
  end: number,
): readonly number[] | undefined {
  if (start + 2 > end) {
    return undefined;
  }
  const count = message.readUInt16BE(start);
  if (count === 0) {
    return NO_TYPES;
  }
  if (start + 2 + 4 * count > end) {
    return undefined;
  }
  return Array.from({ length: count }, (_, index) => message.readUInt32BE(start + 2 + 4 * index));
}

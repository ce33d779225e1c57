/** The range of keys that start with a prefix, as etcd takes it. */
export function prefixRange(prefix: string): { key: Uint8Array; rangeEnd: Uint8Array } {
  const key = Buffer.from(prefix);
  // The least key that is greater than every key with the prefix: its last byte that can grow has
  // grown. No byte of UTF-8 is 0xff, so there is one, except in the empty prefix.
  if (key.length === 0) {
    return { key: Buffer.of(0), rangeEnd: Buffer.of(0) };
  }
  const rangeEnd = Buffer.from(key);
  rangeEnd[rangeEnd.length - 1] = (rangeEnd.at(-1) ?? 0) + 1;
  return { key, rangeEnd };
}

/** Ends a text of which a part had to be left out; peers of Multigres know it. */
const SUFFIX =
  " [...] [remainder of the error is truncated because gRPC has a size limit on errors.]";

/**
 * `text` itself if its UTF-8 form has at most `maxBytes`, otherwise the longest start of it that
 * does, followed by a fixed remark. Lone surrogates are replaced: they have no UTF-8 form.
 */
export function limitText(text: string, maxBytes: number): string {
  const wellFormed = text.toWellFormed();
  if (Buffer.byteLength(wellFormed) <= maxBytes) {
    return wellFormed;
  }
  const { read } = new TextEncoder().encodeInto(wellFormed, new Uint8Array(maxBytes));
  return wellFormed.slice(0, read) + SUFFIX;
}

/**
 * Shortens the longest of `texts` until all of them together have at most about `maxBytes`. Short
 * texts stay whole; the remark of {@link limitText} comes on top for each that does not.
 */
export function limitTexts(texts: readonly string[], maxBytes: number): string[] {
  const sizes = texts.map((text) => Buffer.byteLength(text));
  const cap = fairShare(sizes, maxBytes);
  return texts.map((text) => limitText(text, cap));
}

/** The largest size to which all can be cut so that their sum is at most `total`. */
function fairShare(sizes: readonly number[], total: number): number {
  let left = total;
  let count = sizes.length;
  for (const size of sizes.toSorted((a, b) => a - b)) {
    if (size * count > left) {
      return Math.floor(left / count);
    }
    left -= size;
    count -= 1;
  }
  return Number.MAX_SAFE_INTEGER;
}

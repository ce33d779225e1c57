/**
 * The middle of some samples; between two of them for an even number.
 *
 * @throws RangeError without a sample.
 */
export function median(samples: readonly number[]): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const high = sorted[Math.floor(sorted.length / 2)];
  const low = sorted[Math.floor((sorted.length - 1) / 2)];
  if (low === undefined || high === undefined) {
    throw new RangeError("a median needs at least one sample");
  }
  return (low + high) / 2;
}

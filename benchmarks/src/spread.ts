/** Where the middle of some samples lies and how far they scatter. */
export interface Spread {
  readonly median: number;
  /** The middle half lies between these. */
  readonly lowerQuartile: number;
  readonly upperQuartile: number;
  readonly min: number;
  readonly max: number;
}

/** @throws RangeError without a sample. */
export function spreadOf(samples: readonly number[]): Spread {
  if (samples.length === 0) {
    throw new RangeError("a spread needs at least one sample");
  }
  const sorted = samples.toSorted((a, b) => a - b);
  return {
    median: quantile(sorted, 0.5),
    lowerQuartile: quantile(sorted, 0.25),
    upperQuartile: quantile(sorted, 0.75),
    min: quantile(sorted, 0),
    max: quantile(sorted, 1),
  };
}

/** Between two samples the value is interpolated, as most tools do (R's type 7). */
function quantile(sorted: readonly number[], share: number): number {
  const position = (sorted.length - 1) * share;
  const below = Math.floor(position);
  const low = sorted[below] ?? Number.NaN;
  const high = sorted[below + 1] ?? low;
  return low + (high - low) * (position - below);
}

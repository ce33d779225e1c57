/**
 * The time below which `share` of what was counted lies, in milliseconds, as if it were spread evenly in
 * its bucket; `undefined` where nothing was counted. What took longer than the last bound counts as that.
 *
 * @param counts one for each bound, not added up, and one for the rest
 */
export function percentile(
  share: number,
  counts: readonly number[],
  boundsMs: readonly number[],
): number | undefined {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) {
    return undefined;
  }
  const rank = share * total;
  let below = 0;
  let index = 0;
  while (index < boundsMs.length && below + (counts[index] ?? 0) < rank) {
    below += counts[index] ?? 0;
    index += 1;
  }
  const upper = boundsMs[index];
  const lower = index === 0 ? 0 : (boundsMs[index - 1] ?? 0);
  return upper === undefined
    ? lower
    : lower + ((upper - lower) * (rank - below)) / (counts[index] ?? 1);
}

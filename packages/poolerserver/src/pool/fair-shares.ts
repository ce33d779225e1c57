/**
 * Divides `total` fairly (max-min): nobody gets more than the demand says while somebody else gets
 * less than that and less than the other one. What is too little for all goes to the first of those
 * who want it, one each. What nobody wants is spread evenly.
 *
 * @param demands whole numbers from 0
 * @param total a whole number
 */
export function fairShares(demands: readonly number[], total: number): number[] {
  const shares = demands.map(() => 0);
  const left = satisfy(demands, shares, Math.max(0, total));
  const each = Math.floor(left / Math.max(1, demands.length));
  const remainder = left - each * demands.length;
  return shares.map((share, index) => share + each + (index < remainder ? 1 : 0));
}

/** Raises the shares towards the demands. Returns what is left. */
function satisfy(demands: readonly number[], shares: number[], total: number): number {
  let left = total;
  let hungry = [...demands.keys()].filter((index) => (demands[index] ?? 0) > 0);
  while (left > 0 && hungry.length > 0) {
    const each = Math.max(1, Math.floor(left / hungry.length));
    for (const index of hungry) {
      const missing = (demands[index] ?? 0) - (shares[index] ?? 0);
      const more = Math.min(each, missing, left);
      shares[index] = (shares[index] ?? 0) + more;
      left -= more;
    }
    hungry = hungry.filter((index) => (shares[index] ?? 0) < (demands[index] ?? 0));
  }
  return left;
}

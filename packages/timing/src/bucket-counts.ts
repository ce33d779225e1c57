/** Counts values, such as durations, by upper bounds: a few comparisons each, and no allocation. */
export class BucketCounts {
  readonly #bounds: readonly number[];
  readonly #counts: Float64Array;
  #sum = 0;

  /** @param bounds ascending */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  /**
   * One number for each bound, of the values up to it that are above the one before, and one for what is
   * above all. Changes in place.
   */
  get counts(): ArrayLike<number> {
    return this.#counts;
  }

  /** All values added up. */
  get sum(): number {
    return this.#sum;
  }

  note(value: number): void {
    let index = 0;
    while (value > (this.#bounds[index] ?? Infinity)) {
      index += 1;
    }
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#sum += value;
  }
}

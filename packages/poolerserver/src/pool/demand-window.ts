const BUCKETS = 6;

/** The highest number that was noted within a time, to within a sixth of that. */
export class DemandWindow {
  readonly #bucketMs: number;
  readonly #peaks: number[] = Array.from({ length: BUCKETS }, () => 0);
  #bucket = Number.NEGATIVE_INFINITY;

  constructor(windowMs: number) {
    this.#bucketMs = Math.max(1, windowMs / BUCKETS);
  }

  /** @param now the monotonic time */
  note(count: number, now: number): void {
    const index = this.#turnTo(now);
    if (count > (this.#peaks[index] ?? 0)) {
      this.#peaks[index] = count;
    }
  }

  peak(now: number): number {
    this.#turnTo(now);
    return Math.max(...this.#peaks);
  }

  /** Empties the buckets that time has passed over. */
  #turnTo(now: number): number {
    const bucket = Math.floor(now / this.#bucketMs);
    if (bucket !== this.#bucket) {
      const passed = Math.min(bucket - this.#bucket, BUCKETS);
      for (let back = 0; back < passed; back += 1) {
        this.#peaks[placeOf(bucket - back)] = 0;
      }
      this.#bucket = bucket;
    }
    return placeOf(bucket);
  }
}

function placeOf(bucket: number): number {
  return ((bucket % BUCKETS) + BUCKETS) % BUCKETS;
}

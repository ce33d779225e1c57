/** Upper bounds of what is counted together, in milliseconds. What takes longer than the last is counted too. */
export const ANSWER_TIME_BOUNDS_MS: readonly number[] = [
  0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000,
];

/** Counts answers by how long they took. */
export class AnswerTimes {
  readonly #counts = new Float64Array(ANSWER_TIME_BOUNDS_MS.length + 1);

  /** One number for each bound, not added up, and one for what took longer than all. Changes in place. */
  get counts(): ArrayLike<number> {
    return this.#counts;
  }

  note(ms: number): void {
    let index = 0;
    while (ms > (ANSWER_TIME_BOUNDS_MS[index] ?? Infinity)) {
      index += 1;
    }
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
  }
}

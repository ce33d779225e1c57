/** Codes that are told apart: a function can raise any five characters. */
const MAX_CODES = 64;

/** Counts errors by their SQLSTATE. */
export class ErrorCounts {
  readonly #counts = new Map<string, number>();

  /** By SQLSTATE; the empty text stands for those beyond the ones that are told apart. Changes in place. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  note(sqlstate: string, count = 1): void {
    const isToldApart = this.#counts.has(sqlstate) || this.#counts.size < MAX_CODES;
    const key = isToldApart ? sqlstate : "";
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + count);
  }
}

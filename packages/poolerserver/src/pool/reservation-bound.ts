/**
 * How many of `total` connections reservations may hold at once; at least one. The others are left to
 * statements that give theirs back at once.
 *
 * @param ratio from 0 to 1
 */
export function reservableOf(total: number, ratio: number): number {
  // A ratio is no exact number: without it 10 connections at 0.9 would keep 2 for statements.
  const forStatements = Math.floor(total * (1 - ratio) + ROUNDING);
  return Math.max(1, total - forStatements);
}

const ROUNDING = 1e-9;

/** The reservations that hold connections of one pool. */
export class ReservationBound {
  readonly #ratio: number;
  /** The connections that the pool may have now. */
  readonly #total: () => number;
  #held = 0;

  constructor({ ratio, total }: { readonly ratio: number; readonly total: () => number }) {
    this.#ratio = ratio;
    this.#total = total;
  }

  get held(): number {
    return this.#held;
  }

  get limit(): number {
    return reservableOf(this.#total(), this.#ratio);
  }

  /** How many more may have a connection now; without a bound as many as there are. */
  get room(): number {
    return this.isBounded ? Math.max(0, this.limit - this.#held) : Number.POSITIVE_INFINITY;
  }

  get isBounded(): boolean {
    return this.#ratio < 1;
  }

  begin(): void {
    this.#held += 1;
  }

  end(): void {
    this.#held -= 1;
  }
}

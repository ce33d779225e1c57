import { outcomeOf } from "./failure.ts";

/** What was found wrong of the rows that clients have written. */
export interface LedgerFaults {
  /** Acknowledged, and not there. */
  readonly lost: readonly number[];
  /** There more than once. */
  readonly twice: readonly number[];
  /** There although PostgreSQL has said no. */
  readonly surplus: readonly number[];
}

/** The table that the rows of the clients go to. No constraint keeps a row from being there twice. */
export const LEDGER_SQL = "create table ledger (id bigint not null, client text not null)";

/** Remembers which rows were acknowledged as committed, and compares that with what there is. */
export class Ledger {
  readonly #acknowledged = new Set<number>();
  /** The connection broke before the answer came: they may be there or not. */
  readonly #doubtful = new Set<number>();
  #last = 0;

  get acknowledged(): number {
    return this.#acknowledged.size;
  }

  get doubtful(): number {
    return this.#doubtful.size;
  }

  /** Numbers that no other row has. */
  take(count: number): readonly number[] {
    return Array.from({ length: count }, () => (this.#last += 1));
  }

  /** Runs what commits these rows. Rejects as that does. */
  async commit(ids: readonly number[], run: () => Promise<unknown>): Promise<void> {
    try {
      await run();
    } catch (error) {
      if (outcomeOf(error) === "unknown") {
        this.doubt(ids);
      }
      throw error;
    }
    for (const id of ids) {
      this.#acknowledged.add(id);
    }
  }

  /** Nobody waited for the answer. */
  doubt(ids: readonly number[]): void {
    for (const id of ids) {
      this.#doubtful.add(id);
    }
  }

  /** Compares it with the rows that there are, each as often as it is there. */
  compare(found: Iterable<number>): LedgerFaults {
    const seen = new Set<number>();
    const twice: number[] = [];
    const surplus: number[] = [];
    for (const id of found) {
      if (seen.has(id)) {
        twice.push(id);
      } else if (!this.#acknowledged.has(id) && !this.#doubtful.has(id)) {
        surplus.push(id);
      }
      seen.add(id);
    }
    return { lost: [...this.#acknowledged].filter((id) => !seen.has(id)), twice, surplus };
  }
}

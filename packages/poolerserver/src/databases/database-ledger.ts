import { ActivityTotals } from "../pool/activity-totals.ts";
import { UserPlaces } from "../pool/user-totals.ts";

/** What was done in each database since the process started, whether it is open now or not. */
export class DatabaseLedger {
  readonly #places = new UserPlaces();
  readonly #totals = new Map<string, ActivityTotals>();

  /** Of the databases that were served. */
  get names(): readonly string[] {
    return [...this.#totals.keys()];
  }

  /** The totals of a database that is served from now on. */
  open(database: string): ActivityTotals {
    const known = this.#totals.get(database);
    if (known !== undefined) {
      return known;
    }
    const totals = new ActivityTotals(this.#places);
    this.#totals.set(database, totals);
    return totals;
  }

  /** Zeros for a database that was not served. */
  of(database: string): ActivityTotals {
    return this.#totals.get(database) ?? new ActivityTotals();
  }
}

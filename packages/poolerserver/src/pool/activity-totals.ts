import { StatementCounts } from "../statements/statement-counts.ts";
import type { StatementFigures } from "../statements/statement-counts.ts";
import { NO_SUMS, addSums } from "./connection-sums.ts";
import type { ConnectionSums } from "./connection-sums.ts";
import { UserPlaces, UserTotals } from "./user-totals.ts";
import type { UserActivity } from "./user-totals.ts";

/** What was done in a database since the process started. Durations in milliseconds. */
export interface TotalFigures extends ConnectionSums, StatementFigures {
  /** Sessions of clients that were opened. */
  readonly logins: number;
  /** How often a connection was granted to somebody. */
  readonly grants: number;
  /** How long units have waited for connections, all together. */
  readonly waitMs: number;
  /** Of the errors those on connections that reservations held. */
  readonly reservedErrors: ReadonlyMap<string, number>;
}

/** Adds up what is done for the users of a database, as far as they are told apart. It outlives the pools. */
export class ActivityTotals {
  /** What sessions do with prepared statements. */
  readonly statements: StatementCounts = new StatementCounts();
  readonly #places: UserPlaces;
  readonly #users = new Map<string, UserTotals>();
  readonly #others = new UserTotals("");
  /** Requests of the pool's own, which are no client's. */
  #ownRequests = 0;
  #logins = 0;

  constructor(places: UserPlaces = new UserPlaces()) {
    this.#places = places;
  }

  noteLogin(): void {
    this.#logins += 1;
  }

  /** Where it is counted what is done for a user. */
  user(name: string): UserTotals {
    const known = this.#users.get(name);
    if (known !== undefined || !this.#places.take()) {
      return known ?? this.#others;
    }
    const totals = new UserTotals(name);
    this.#users.set(name, totals);
    return totals;
  }

  /** By user; those who are not told apart together. */
  users(): readonly UserActivity[] {
    return this.#used().map((user) => user.figures());
  }

  noteOwnRequest(): void {
    this.#ownRequests += 1;
  }

  /** As of now. */
  figures(): TotalFigures {
    const users = this.#used();
    const sums = sumOf(users.map((user) => user.connections()));
    const reserved = sumOf(users.map((user) => user.reservedConnections()));
    return {
      ...sums,
      requests: Math.max(0, sums.requests - this.#ownRequests),
      transactions: Math.max(0, sums.transactions - this.#ownRequests),
      logins: this.#logins,
      grants: users.reduce((total, { grants }) => total + grants, 0),
      waitMs: users.reduce((total, { waitMs }) => total + waitMs, 0),
      reservedErrors: reserved.errors,
      ...this.statements.figures(),
    };
  }

  #used(): readonly UserTotals[] {
    return [...this.#users.values(), this.#others].filter(({ isUsed }) => isUsed);
  }
}

function sumOf(all: readonly ConnectionSums[]): ConnectionSums {
  return all.reduce((total, one) => addSums(total, one), NO_SUMS);
}

import { ANSWER_TIME_BOUNDS_MS } from "@multipooler/pgwire";
import { StatementCounts } from "../statements/statement-counts.ts";
import type { StatementFigures } from "../statements/statement-counts.ts";
import type { Backend } from "./backend.ts";

/** What was done in a database since the process started. Durations in milliseconds. */
export interface TotalFigures extends StatementFigures {
  /** Sessions of clients that were opened. */
  readonly logins: number;
  /** How often a connection was granted to somebody. */
  readonly grants: number;
  /** How long units have waited for connections, all together. */
  readonly waitMs: number;
  readonly requests: number;
  readonly transactions: number;
  readonly busyMs: number;
  readonly transactionMs: number;
  /** Errors of PostgreSQL. */
  readonly errors: number;
  /** How many requests took how long, by `ANSWER_TIME_BOUNDS_MS`; the pool's own are among them. */
  readonly answerTimes: readonly number[];
  /** To PostgreSQL. */
  readonly bytesSent: number;
  /** From PostgreSQL. */
  readonly bytesReceived: number;
}

/** What was done for one user in one database since the process started. */
export interface UserActivity {
  /** Empty for the users beyond those that are told apart. */
  readonly user: string;
  /** How often a connection was granted to it. */
  readonly grants: number;
}

/** Users that are told apart; the process may run for long. */
const MAX_USERS = 1000;

/** Counts what is done for one user. */
export class UserTotals implements UserActivity {
  readonly user: string;
  grants = 0;

  constructor(user: string) {
    this.user = user;
  }
}

type ConnectionSums = Omit<TotalFigures, "logins" | "grants" | "waitMs" | keyof StatementFigures>;

/** The same of one connection, whose times change in place. */
type ConnectionFigures = Omit<ConnectionSums, "answerTimes"> & {
  readonly answerTimes: ArrayLike<number>;
};

const NOTHING: ConnectionSums = {
  errors: 0,
  answerTimes: Array.from({ length: ANSWER_TIME_BOUNDS_MS.length + 1 }, () => 0),
  requests: 0,
  transactions: 0,
  busyMs: 0,
  transactionMs: 0,
  bytesSent: 0,
  bytesReceived: 0,
};

/**
 * Adds up what the connections of a database do: those that have ended in one sum, those that are
 * open when it is asked. It outlives the pools.
 */
export class ActivityTotals {
  /** What sessions do with prepared statements. */
  readonly statements: StatementCounts = new StatementCounts();
  readonly #open = new Set<Backend>();
  #ended: ConnectionSums = NOTHING;
  /** Requests of the pool's own, which are no client's. */
  #ownRequests = 0;
  #logins = 0;
  readonly #users = new Map<string, UserTotals>();
  readonly #others = new UserTotals("");
  #waitMs = 0;

  /** A connection was opened. */
  add(backend: Backend): void {
    this.#open.add(backend);
  }

  /** A connection has ended. */
  remove(backend: Backend): void {
    if (this.#open.delete(backend)) {
      this.#ended = sum(this.#ended, backend.activity);
    }
  }

  noteLogin(): void {
    this.#logins += 1;
  }

  /** Where the grants of a user are counted. */
  user(name: string): UserTotals {
    const known = this.#users.get(name);
    if (known !== undefined || this.#users.size >= MAX_USERS) {
      return known ?? this.#others;
    }
    const totals = new UserTotals(name);
    this.#users.set(name, totals);
    return totals;
  }

  /** By user; those who are not told apart together. */
  users(): readonly UserActivity[] {
    const users = [...this.#users.values()];
    return this.#others.grants === 0 ? users : [...users, this.#others];
  }

  noteWait(ms: number): void {
    this.#waitMs += ms;
  }

  noteOwnRequest(): void {
    this.#ownRequests += 1;
  }

  /** As of now. */
  figures(): TotalFigures {
    let sums = this.#ended;
    for (const { activity } of this.#open) {
      sums = sum(sums, activity);
    }
    return {
      ...sums,
      requests: Math.max(0, sums.requests - this.#ownRequests),
      transactions: Math.max(0, sums.transactions - this.#ownRequests),
      logins: this.#logins,
      grants: this.users().reduce((total, { grants }) => total + grants, 0),
      waitMs: this.#waitMs,
      ...this.statements.figures(),
    };
  }
}

function sum(one: ConnectionSums, other: ConnectionFigures): ConnectionSums {
  return {
    errors: one.errors + other.errors,
    answerTimes: one.answerTimes.map((count, index) => count + (other.answerTimes[index] ?? 0)),
    requests: one.requests + other.requests,
    transactions: one.transactions + other.transactions,
    busyMs: one.busyMs + other.busyMs,
    transactionMs: one.transactionMs + other.transactionMs,
    bytesSent: one.bytesSent + other.bytesSent,
    bytesReceived: one.bytesReceived + other.bytesReceived,
  };
}

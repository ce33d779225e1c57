import { AnswerTimes } from "@multipooler/pgwire";
import type { Backend } from "./backend.ts";
import { NO_SUMS, addSums } from "./connection-sums.ts";
import type { ConnectionSums } from "./connection-sums.ts";

/** Waits for connections. */
export interface WaitFigures {
  /** How many took how long, by `ANSWER_TIME_BOUNDS_MS`. */
  readonly times: readonly number[];
  readonly totalMs: number;
}

/** What was done for one user in one database since the process started. */
export interface UserActivity {
  /** Empty for the users beyond those that are told apart. */
  readonly user: string;
  /** How often a connection was granted to it. */
  readonly grants: number;
  /** Until those grants; most take no time. */
  readonly waits: WaitFigures;
  /** That ended without a connection, at the wait limit. */
  readonly expired: WaitFigures;
  /** What its connections have done. */
  readonly connections: ConnectionSums;
}

/** Places for users that are told apart, in all databases together; the process may run for long. */
export class UserPlaces {
  #left = 1000;

  /** False: there is none left. */
  take(): boolean {
    if (this.#left === 0) {
      return false;
    }
    this.#left -= 1;
    return true;
  }
}

/** Counts what is done for one user in one database. It outlives its pools. */
export class UserTotals {
  readonly user: string;
  grants = 0;
  readonly #waits = new Waits();
  readonly #expired = new Waits();
  readonly #open = new Set<Backend>();
  #ended: ConnectionSums = NO_SUMS;

  constructor(user: string) {
    this.user = user;
  }

  get isUsed(): boolean {
    return this.grants > 0 || this.#open.size > 0 || this.#expired.count > 0;
  }

  get waitMs(): number {
    return this.#waits.totalMs;
  }

  /** A connection was opened. */
  add(backend: Backend): void {
    this.#open.add(backend);
  }

  /** A connection has ended. */
  remove(backend: Backend): void {
    if (this.#open.delete(backend)) {
      this.#ended = addSums(this.#ended, backend.activity);
    }
  }

  /** A grant was waited for. The others are not told, and cost nothing but their count. */
  noteWait(ms: number): void {
    this.#waits.note(ms);
  }

  /** A wait has come to its limit. */
  noteExpired(ms: number): void {
    this.#expired.note(ms);
  }

  /** What its connections have done until now. */
  connections(): ConnectionSums {
    let sums = this.#ended;
    for (const { activity } of this.#open) {
      sums = addSums(sums, activity);
    }
    return sums;
  }

  /** As of now. */
  figures(): UserActivity {
    const { user, grants } = this;
    return {
      user,
      grants,
      waits: this.#waits.figures(grants - this.#waits.count),
      expired: this.#expired.figures(0),
      connections: this.connections(),
    };
  }
}

class Waits {
  readonly #times = new AnswerTimes();
  totalMs = 0;
  count = 0;

  note(ms: number): void {
    this.#times.note(ms);
    this.totalMs += ms;
    this.count += 1;
  }

  /** With those that took no time. */
  figures(atOnce: number): WaitFigures {
    const [shortest = 0, ...longer] = Array.from(this.#times.counts);
    return { times: [shortest + atOnce, ...longer], totalMs: this.totalMs };
  }
}

import { ANSWER_TIME_BOUNDS_MS } from "@multipooler/pgwire";
import { BucketCounts } from "@multipooler/timing";
import type { Backend } from "./backend.ts";
import { NO_SUMS, addSums, withoutSums } from "./connection-sums.ts";
import type { ConnectionSums } from "./connection-sums.ts";
import type { Unit } from "./unit.ts";

/** Waits for connections. */
export interface WaitFigures {
  /** How many took how long, by `ANSWER_TIME_BOUNDS_MS`. */
  readonly times: readonly number[];
  readonly totalMs: number;
}

/** Requests of one kind, and how long they waited. */
export interface KindActivity {
  /** Until a connection was granted; most take no time. */
  readonly waits: WaitFigures;
  /** That ended without a connection, at the wait limit. */
  readonly expired: WaitFigures;
  /** What the connections have done. */
  readonly connections: ConnectionSums;
}

/** What was done for one user in one database since the process started. */
export interface UserActivity {
  /** Empty for the users beyond those that are told apart. */
  readonly user: string;
  /** How often a connection was granted to it. */
  readonly grants: number;
  /** On connections that were granted for reservations, while those held them. */
  readonly reserved: KindActivity;
  /** On all others. */
  readonly regular: KindActivity;
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
  readonly #regular = new KindWaits();
  readonly #reserved = new KindWaits();
  readonly #open = new Set<Backend>();
  #ended: ConnectionSums = NO_SUMS;
  /** Of the open ones those that reservations hold, with what they had done before. */
  readonly #held = new Map<Backend, ConnectionSums>();
  /** What connections did for reservations that have ended. */
  #reservedBefore: ConnectionSums = NO_SUMS;

  constructor(user: string) {
    this.user = user;
  }

  get isUsed(): boolean {
    const expired = this.#regular.expired.count + this.#reserved.expired.count;
    return this.grants > 0 || this.#open.size > 0 || expired > 0;
  }

  get grants(): number {
    return this.#regular.grants + this.#reserved.grants;
  }

  get waitMs(): number {
    return this.#regular.waits.totalMs + this.#reserved.waits.totalMs;
  }

  /** A connection was opened. */
  add(backend: Backend): void {
    this.#open.add(backend);
  }

  /** A connection has ended. */
  remove(backend: Backend): void {
    this.endReservation(backend);
    if (this.#open.delete(backend)) {
      this.#ended = addSums(this.#ended, backend.activity);
    }
  }

  /** A connection is granted. */
  noteGrant(unit: Pick<Unit, "reserves">): void {
    this.#kindOf(unit).grants += 1;
  }

  /** A grant was waited for. The others are not told, and cost nothing but their count. */
  noteWait(ms: number, unit: Pick<Unit, "reserves">): void {
    this.#kindOf(unit).waits.note(ms);
  }

  /** A wait has come to its limit. */
  noteExpired(ms: number, unit: Pick<Unit, "reserves">): void {
    this.#kindOf(unit).expired.note(ms);
  }

  /** A reservation holds a connection from now on. */
  beginReservation(backend: Backend): void {
    if (this.#open.has(backend)) {
      this.#held.set(backend, addSums(NO_SUMS, backend.activity));
    }
  }

  /** It does not any more. Does nothing when it is known. */
  endReservation(backend: Backend): void {
    const before = this.#held.get(backend);
    if (before !== undefined) {
      this.#held.delete(backend);
      this.#reservedBefore = addSums(this.#reservedBefore, withoutSums(backend.activity, before));
    }
  }

  /** What connections have done until now that reservations hold, or held then. */
  reservedConnections(): ConnectionSums {
    let sums = this.#reservedBefore;
    for (const [{ activity }, before] of this.#held) {
      sums = addSums(sums, withoutSums(activity, before));
    }
    return sums;
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
    const reserved = this.reservedConnections();
    return {
      user,
      grants,
      reserved: this.#reserved.figures(reserved),
      regular: this.#regular.figures(withoutSums(this.connections(), reserved)),
    };
  }

  #kindOf({ reserves }: Pick<Unit, "reserves">): KindWaits {
    return reserves === true ? this.#reserved : this.#regular;
  }
}

/** Grants for requests of one kind, and the waits for them. */
class KindWaits {
  grants = 0;
  readonly waits = new Waits();
  readonly expired = new Waits();

  figures(connections: ConnectionSums): KindActivity {
    return {
      waits: this.waits.figures(this.grants - this.waits.count),
      expired: this.expired.figures(0),
      connections,
    };
  }
}

class Waits {
  readonly #times = new BucketCounts(ANSWER_TIME_BOUNDS_MS);
  count = 0;

  get totalMs(): number {
    return this.#times.sum;
  }

  note(ms: number): void {
    this.#times.note(ms);
    this.count += 1;
  }

  /** With those that took no time. */
  figures(atOnce: number): WaitFigures {
    const [shortest = 0, ...longer] = Array.from(this.#times.counts);
    return { times: [shortest + atOnce, ...longer], totalMs: this.totalMs };
  }
}

import type { ConnectionShare, ConnectionSlot } from "@multipooler/controller-api";
import type { Clock, Timer } from "@multipooler/timing";
import type { LimitedOwner } from "../postgres-error.ts";
import { DialLimit } from "./dial-limit.ts";
import { fairShares } from "./fair-shares.ts";
import type { SharesCap } from "./fair-shares.ts";
import { UserShare } from "./user-share.ts";
import type { Demand, ShareKeeper, ShareOwner } from "./user-share.ts";

/** Not divided again sooner, however many ask. */
const MIN_INTERVAL_MS = 10;
const DEFAULT_INTERVAL_MS = 250;

/** The need of a connection that is kept for as long as there is one. */
const ONE: Demand = { current: 1, lately: 1 };

/** A place for one connection beside those of the users. */
export interface PlaceBeside extends Pick<ConnectionShare, "tryTake" | "onChange"> {
  /** To be called once, when the place is not wanted any more. */
  end(): void;
}

export interface UserBudgetOptions {
  readonly share: ConnectionShare;
  /** Sessions of all users together; the share may allow fewer. */
  readonly capacity: number;
  /** Sessions of one user in all databases; 0, the default: as many as there are. */
  readonly maxPerUser?: number | undefined;
  /** Sessions of all users in one database; 0, the default: as many as there are. */
  readonly maxPerDatabase?: number | undefined;
  /** What each user gets at least, up to an equal part, whatever it needs; default 0. */
  readonly minPerUser?: number | undefined;
  /**
   * Divided again so often while somebody gets less than is wanted: also the turn of those who share
   * one place. Default: 250 ms.
   */
  readonly intervalMs?: number | undefined;
  readonly clock: Clock;
}

/**
 * Divides the connections to a server among users and databases, fairly by what they need: see
 * {@link fairShares}. A user in two databases counts as two. It does so when somebody wants more than
 * is allotted. A user who has more than that ends idle sessions at once, and others when they come
 * back. Where there are fewer connections than users, those who had one longest ago come first, and
 * nothing is kept for those who needed some lately.
 */
export class UserBudget implements ShareKeeper {
  /** Dials to the server, of all users together. */
  readonly dials: DialLimit = new DialLimit();
  readonly #options: UserBudgetOptions;
  readonly #shares = new Set<UserShare>();
  /** Those of them that are not a user's. */
  readonly #singles = new Set<UserShare>();
  readonly #stopListening: () => void;
  #used = 0;
  /** Places of the share that are kept for others than users. */
  #beside = 0;
  #dividedAt: number = Number.NEGATIVE_INFINITY;
  /** What was divided last. */
  #divided = 0;
  /** Somebody wanted more than there was. */
  #isWanted = false;
  #timer: Timer | undefined;

  constructor(options: UserBudgetOptions) {
    this.#options = options;
    this.#stopListening = options.share.onChange(() => this.#onChange());
  }

  /** Connections of all users. */
  get used(): number {
    return this.#used;
  }

  /** Users who have a share. */
  get size(): number {
    return this.#shares.size - this.#singles.size;
  }

  /** The first share is that of the role which the pooler is configured with, in its own database. */
  open(owner: ShareOwner, demand: (now: number) => Demand): UserShare {
    const share = new UserShare(this, { owner, demand });
    this.#shares.add(share);
    this.#dividedAt = Number.NEGATIVE_INFINITY;
    return share;
  }

  /**
   * A share for one connection beside those of the users, which is counted among them. `undefined`
   * where statements would have none left.
   */
  openSingle(owner: ShareOwner): UserShare | undefined {
    if (this.#singles.size + 1 >= this.#total) {
      return undefined;
    }
    const share = this.open(owner, () => ONE);
    this.#singles.add(share);
    return share;
  }

  /**
   * A connection beside those of the users, out of the share and not of the capacity; they make room for
   * it where need be. `undefined` where statements would have none left.
   */
  openBeside(): PlaceBeside | undefined {
    const { share } = this.#options;
    if (share.limit - this.#beside <= 1) {
      return undefined;
    }
    this.#beside += 1;
    this.#onChange();
    return {
      tryTake: () => share.tryTake(),
      onChange: (listener) => share.onChange(listener),
      end: () => {
        this.#beside -= 1;
        this.#onChange();
      },
    };
  }

  /** Whether that user, or that database, has a connection or one is being opened. */
  hasAny(owner: ShareOwner, whose: LimitedOwner): boolean {
    return [...this.#shares].some((share) => share.used > 0 && share.owner[whose] === owner[whose]);
  }

  /** Nothing of the share is used any more. */
  end(share: UserShare): void {
    this.#shares.delete(share);
    this.#singles.delete(share);
  }

  close(): void {
    this.#stopListening();
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** The limits of the options have changed. */
  limitsChanged(): void {
    this.#divide(this.#options.clock.monotonic());
    this.#tellAll();
  }

  limitOf(share: UserShare): number {
    if (this.#shares.size > 1) {
      return share.allotment;
    }
    const { maxPerUser, maxPerDatabase } = this.#options;
    return Math.min(this.#total, capOf(maxPerUser), capOf(maxPerDatabase));
  }

  take(share: UserShare): ConnectionSlot | undefined {
    if (share.used >= share.limit) {
      this.#want();
    }
    const isFree =
      share.used < share.limit && this.#used < this.#options.capacity && !this.#isCapped(share);
    const slot = isFree ? this.#options.share.tryTake() : undefined;
    if (slot === undefined) {
      this.#want();
      return undefined;
    }
    share.used += 1;
    share.takenAt = this.#options.clock.monotonic();
    this.#used += 1;
    let isHeld = true;
    return {
      release: () => {
        if (isHeld) {
          isHeld = false;
          share.used -= 1;
          this.#used -= 1;
          slot.release();
        }
      },
    };
  }

  /** Only the first of all is believed: a role may have a limit of its own. */
  serverIsFull(share: UserShare): void {
    const [first] = this.#shares;
    if (share === first) {
      this.#options.share.serverIsFull();
    }
  }

  get #total(): number {
    const { capacity, share } = this.#options;
    // Where the share has become very small, statements come first.
    const left = Math.max(share.limit - this.#beside, Math.min(share.limit, 1));
    return Math.min(capacity, left);
  }

  /** Whether its user or its database has as many connections as one may. */
  #isCapped({ owner }: UserShare): boolean {
    const shares = [...this.#shares];
    return this.#capsOn(shares).some(({ limit, members }) => {
      const together = members.flatMap((index) => shares[index] ?? []);
      const isConcerned = together.some((share) => isSame(share.owner, owner));
      return isConcerned && together.reduce((sum, { used }) => sum + used, 0) >= limit;
    });
  }

  /** The limits of users and databases, for shares by their index. */
  #capsOn(shares: readonly UserShare[]): SharesCap[] {
    const { maxPerUser = 0, maxPerDatabase = 0 } = this.#options;
    return [
      ...capsBy(shares, ({ owner }) => owner.user, maxPerUser),
      ...capsBy(shares, ({ owner }) => owner.database, maxPerDatabase),
    ];
  }

  /** What a share gets whether or not it is needed. */
  #leastOf(share: UserShare | undefined): number {
    const isUser = share !== undefined && !this.#singles.has(share);
    return isUser ? (this.#options.minPerUser ?? 0) : 0;
  }

  /** Somebody wants more. */
  #want(): void {
    if (this.#shares.size === 1) {
      return;
    }
    this.#isWanted = true;
    const now = this.#options.clock.monotonic();
    if (now - this.#dividedAt >= MIN_INTERVAL_MS && this.#divide(now)) {
      // The others are to make room, on a turn of their own.
      this.#timer?.cancel();
      this.#timer = undefined;
      this.#arm(0);
    } else {
      this.#arm(this.#options.intervalMs ?? DEFAULT_INTERVAL_MS);
    }
  }

  #arm(delayMs: number): void {
    this.#timer ??= this.#options.clock.setTimer(() => {
      this.#timer = undefined;
      const isWanted = this.#isWanted;
      this.#isWanted = false;
      if (isWanted) {
        this.#giveTurns();
        this.#divide(this.#options.clock.monotonic());
        this.#tellAll();
      }
    }, delayMs);
  }

  /** A place has come free, or the limit has changed. */
  #onChange(): void {
    if (this.#total !== this.#divided) {
      this.#divide(this.#options.clock.monotonic());
    }
    this.#tellAll();
  }

  #tellAll(): void {
    for (const share of this.#shares) {
      share.changed();
    }
  }

  #giveTurns(): void {
    const shares = [...this.#shares].toSorted((a, b) => a.takenAt - b.takenAt);
    for (const [turn, share] of shares.entries()) {
      share.turn = turn;
    }
  }

  /** Returns whether anything has changed. */
  #divide(now: number): boolean {
    const total = this.#total;
    this.#dividedAt = now;
    this.#divided = total;
    const shares = [...this.#shares].toSorted((a, b) => a.turn - b.turn);
    const needs = needsOf(
      shares.map((share) => share.demand(now)),
      total,
    );
    const isEnoughForAll = shares.length <= total;
    const demands = needs.map((need, index) =>
      isEnoughForAll ? Math.max(need, this.#leastOf(shares[index])) : need,
    );
    const allotments = fairShares(demands, total, this.#capsOn(shares));
    let hasChanged = false;
    for (const [index, share] of shares.entries()) {
      const allotment = allotments[index] ?? 0;
      hasChanged ||= share.allotment !== allotment;
      share.allotment = allotment;
    }
    return hasChanged;
  }
}

/** What was needed lately counts, so that a user with a changing need does not lose sessions in between. */
function needsOf(demands: readonly Demand[], total: number): number[] {
  const isEnough = demands.filter(({ lately }) => lately > 0).length <= total;
  return demands.map(({ current, lately }) => (isEnough ? lately : current));
}

function isSame(one: ShareOwner, other: ShareOwner): boolean {
  return one.user === other.user && one.database === other.database;
}

function capOf(limit: number | undefined): number {
  return limit === undefined || limit === 0 ? Number.POSITIVE_INFINITY : limit;
}

function capsBy(
  shares: readonly UserShare[],
  nameOf: (share: UserShare) => string,
  limit: number,
): SharesCap[] {
  if (limit === 0) {
    return [];
  }
  const groups = Map.groupBy(shares.keys(), (index) => {
    const share = shares[index];
    return share === undefined ? "" : nameOf(share);
  });
  return [...groups.values()].map((members) => ({ limit, members }));
}

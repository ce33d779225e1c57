import { Taint } from "../classification/taint.ts";
import { notOpenError } from "../error.ts";
import type { MultiPoolerError } from "../error.ts";
import { Grant } from "./grant.ts";
import type { GrantKeeper } from "./grant.ts";
import { settingsOf } from "./label.ts";
import { liftsReadOnlyError } from "./label-settings.ts";
import type { LabelSettings } from "./label-settings.ts";
import type { Member } from "./member.ts";
import { Pool } from "./pool.ts";
import type { PoolAccess } from "./pool.ts";
import type { PoolReport } from "./pool-report.ts";
import { ReservationBound } from "./reservation-bound.ts";
import type { SchedulerOptions } from "./scheduler-options.ts";
import { exhaustedError, queueFullError, reservationsError } from "./scheduler-refusal.ts";
import { SharedSessions } from "./shared-sessions.ts";
import { UnitQueue } from "./unit-queue.ts";
import type { Unit, UnitKind } from "./unit.ts";
import type { Demand } from "./user-share.ts";
import type { UserTotals } from "./user-totals.ts";

/**
 * Decides which unit gets which session, and when.
 *
 * A unit is granted at once while nobody waits and a session is there. Otherwise it waits for its
 * turn; nobody overtakes the unit whose turn it is, whatever its kind. Sessions are opened for
 * those who wait, up to the capacity and the share.
 *
 * The dials under way stand for the units that wait longest. When one fails, the first unit that is
 * left without a dial is refused; if no session is left that could come back, all of those are. A
 * server that is full, or a share without a place, refuses nobody: they wait up to their limit.
 */
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #totals: UserTotals;
  readonly #pool: Pool;
  readonly #queue: UnitQueue;
  readonly #shared: SharedSessions;
  #isServing = false;
  #isPaused = false;
  readonly #reservations: ReservationBound;
  readonly #exclusiveEnds: GrantKeeper;
  readonly #reservedEnds: GrantKeeper;
  readonly #sharedEnds: GrantKeeper;
  readonly #onRelabelled = (): void => this.#serve();

  constructor(options: SchedulerOptions, access: PoolAccess) {
    const { clock, share, reservedRatio = 1 } = options;
    this.#options = options;
    this.#totals = options.totals.user(options.user);
    this.#reservations = new ReservationBound({
      ratio: reservedRatio,
      total: () => Math.min(options.capacity, share.limit),
    });
    this.#queue = new UnitQueue({
      clock,
      get limitMs() {
        return options.waitTimeoutMs;
      },
      get maxBytes() {
        return options.maxQueueBytes;
      },
      reservable: this.#reservations.isBounded ? () => this.#reservations.room : undefined,
      onExpired: (unit, waiting) => {
        this.#totals.noteExpired(options.waitTimeoutMs, unit);
        options.slow?.waited(options.waitTimeoutMs, { user: options.user, origin: unit.origin });
        unit.refused(this.#exhaustedError(unit, waiting));
        this.#serve();
        this.#tellIfUnused();
      },
    });
    this.#shared = new SharedSessions({
      ...options,
      isRecent: (member, now) => this.#pool.isRecent(member, now),
    });
    this.#pool = new Pool(options, access, {
      wanted: () => (this.#isPaused ? 0 : this.#queue.wanted),
      onIdle: () => this.#serve(),
      onDialFailed: (error) => this.#refuseUncovered(error),
      onEmpty: () => {
        options.onVacant?.();
        this.#tellIfUnused();
      },
    });
    this.#exclusiveEnds = this.#pool;
    this.#reservedEnds = {
      giveBack: (member) => this.#endReserved(member, () => this.#pool.giveBack(member)),
      discard: (member, reason) =>
        this.#endReserved(member, () => this.#pool.discard(member, reason)),
    };
    this.#sharedEnds = {
      giveBack: (member) => this.#endShared(member),
      discard: (member, reason) => {
        this.#pool.discard(member, reason);
        void this.#endShared(member);
      },
    };
  }

  /** Whether there is a session that is not being ended. */
  get hasSessions(): boolean {
    return !this.#pool.isEmpty;
  }

  /** Whether a unit waits. */
  get isAwaited(): boolean {
    return this.#queue.size > 0;
  }

  /** See {@link Pool.parameters}. */
  get parameters(): ReadonlyMap<string, string> | undefined {
    return this.#pool.parameters;
  }

  /** What it could use; `now` on the monotonic clock. */
  demand(now: number): Demand {
    return this.#pool.demanded(now);
  }

  /** See {@link Pool.isHeldIdle}. */
  get isHeldIdle(): boolean {
    return this.#pool.isHeldIdle;
  }

  /** When the server last showed that it works on what the pool sends; on the monotonic clock. */
  get aliveAt(): number {
    return this.#pool.aliveAt;
  }

  /** Something that was sent got no answer in time: earlier signs of life do not count any more. */
  noteSilence(): void {
    this.#pool.noteAlive(Number.NEGATIVE_INFINITY);
  }

  /**
   * Grants a backend to the unit, before it returns if one is there. Never throws. The unit is
   * refused with NOT_OPEN once the pool closes; with POOL_EXHAUSTED after the wait limit, or at once
   * if the queue has no room; or with the error of a failed dial (see the class).
   */
  submit(unit: Unit): void {
    if (this.#pool.isClosing) {
      unit.refused(notOpenError());
      return;
    }
    const member = this.#queue.next === undefined ? this.#find(unit) : undefined;
    if (member !== undefined) {
      this.#grant(unit, member);
    } else if (this.#queue.enter(unit)) {
      this.#pool.supply();
      this.#options.onWaiting?.();
    } else {
      unit.refused(this.#queueFullError(unit));
    }
  }

  /** Takes a unit out of the queue. False: it does not wait any more. */
  withdraw(unit: Unit): boolean {
    const wasNext = this.#queue.next === unit;
    const isGone = this.#queue.remove(unit);
    if (isGone && wasNext) {
      this.#serve();
    }
    if (isGone) {
      this.#tellIfUnused();
    }
    return isGone;
  }

  /** What it holds, and who waits. */
  report(): PoolReport {
    return {
      user: this.#options.user,
      servers: this.#pool.servers(),
      limit: Math.min(this.#options.capacity, this.#options.share.limit),
      reservations: this.#reservations.held,
      dials: this.#pool.dials,
      waiting: this.#queue.size,
      longestWaitMs: this.#queue.longestWaitMs(),
    };
  }

  /** Grants nothing until `resume`, and ends each session when it comes back. */
  pause(): void {
    this.#isPaused = true;
    this.#pool.renew();
  }

  resume(): void {
    this.#isPaused = false;
    this.#serve();
  }

  /** The limits of the options have changed. */
  limitsChanged(): void {
    this.#pool.limitsChanged();
    this.#queue.limitChanged();
    this.#serve();
  }

  /** Whether there is no session, and none is being opened. */
  get isVacant(): boolean {
    return this.#pool.isVacant;
  }

  /** See {@link Pool.cut}. */
  cut(reason: MultiPoolerError): void {
    this.#pool.cut(reason);
  }

  /** See {@link Pool.renew}. */
  renew(): void {
    this.#pool.renew();
  }

  /** See {@link Pool.setAccess}. */
  setAccess(access: PoolAccess): void {
    this.#pool.setAccess(access);
  }

  /** Refuses those who wait and ends every session; see {@link Pool.close}. */
  async close(): Promise<void> {
    const error = notOpenError();
    const closed = this.#pool.close(error);
    for (const unit of this.#queue.takeOldest(0, Number.POSITIVE_INFINITY)) {
      unit.refused(error);
    }
    this.#queue.close();
    await closed;
  }

  /**
   * Grants sessions in the order of the turns, for as long as there are any. To be called whenever
   * a session may have room, or another unit may have come to its turn.
   */
  #serve(): void {
    // A unit may give its session back before its `granted` returns.
    if (this.#isServing) {
      return;
    }
    this.#isServing = true;
    for (;;) {
      const { next } = this.#queue;
      const member = next === undefined ? undefined : this.#find(next);
      if (next === undefined || member === undefined) {
        break;
      }
      const unit = this.#bestFor(member, next);
      const waitMs = this.#queue.take(unit);
      this.#totals.noteWait(waitMs, unit);
      this.#options.slow?.waited(waitMs, { user: this.#options.user, origin: unit.origin });
      this.#grant(unit, member);
    }
    this.#isServing = false;
    this.#pool.supply();
  }

  /** Another unit may overtake the next one if it wants the settings that the session has. */
  #bestFor({ settings }: Member, next: Unit): Unit {
    return settings === settingsOf(next) ? next : (this.#queue.overtaking(settings) ?? next);
  }

  #find(unit: Unit): Member | undefined {
    if (this.#isPaused || (unit.reserves === true && this.#reservations.room === 0)) {
      return undefined;
    }
    const settings = settingsOf(unit);
    switch (kindOf(unit)) {
      case "exclusive":
        return this.#pool.takeIdle(settings);
      case "shareable":
      case "mayWait":
        return this.#findShared(settings);
    }
  }

  /** A shared session with little to do, else an idle one if that is of use, else one with room. */
  #findShared(settings: LabelSettings): Member | undefined {
    // Sessions that have to end come back once they get no more.
    const isUsable = this.#shared.size > 0 && !this.#pool.isOverLimit;
    const least = isUsable ? this.#shared.least(settings) : undefined;
    if (least !== undefined && this.#shared.isPreferred(least)) {
      return least;
    }
    return this.#pool.takeIdle(settings) ?? least;
  }

  #grant(unit: Unit, member: Member): void {
    this.#totals.noteGrant(unit);
    const settings = settingsOf(unit);
    if (settings.liftsReadOnly && member.access === "read-only") {
      void this.#pool.giveBack(member);
      unit.refused(liftsReadOnlyError());
      return;
    }
    if (settings === member.settings) {
      member.matches += 1;
    }
    if (settings !== member.settings || settings.changesIdentity) {
      member.relabel(settings, this.#onRelabelled);
    }
    if (settings.obscuresText) {
      member.addTaint(Taint.Unknown | Taint.Lasting);
    }
    if (kindOf(unit) === "exclusive") {
      member.use = "lent";
      if (unit.reserves === true) {
        this.#reservations.begin();
        this.#totals.beginReservation(member.backend);
        unit.granted(new Grant(member, this.#reservedEnds));
      } else {
        unit.granted(new Grant(member, this.#exclusiveEnds));
      }
      return;
    }
    this.#shared.enter(member, { takesMore: unit.kind === "shareable" });
    unit.granted(new Grant(member, this.#sharedEnds));
  }

  /** A unit in the FIFO of a shared session has ended; the session is free with the last of them. */
  #endShared(member: Member): Promise<void> | undefined {
    const now = this.#options.clock.monotonic();
    if (this.#shared.leave(member, now)) {
      return this.#pool.giveBack(member);
    }
    this.#pool.noteAlive(now);
    this.#serve();
    return undefined;
  }

  /** Another reservation may have its connection. */
  #endReserved<Result>({ backend }: Member, give: () => Result): Result {
    this.#reservations.end();
    this.#totals.endReservation(backend);
    const result = give();
    this.#serve();
    return result;
  }

  #tellIfUnused(): void {
    if (this.#queue.size === 0 && this.#pool.isVacant) {
      this.#options.onUnused?.();
    }
  }

  /** The dials under way stand for the first who wait. */
  #refuseUncovered(error: MultiPoolerError): void {
    const count = this.#pool.isEmpty ? Number.POSITIVE_INFINITY : 1;
    for (const unit of this.#queue.takeOldest(this.#pool.dials, count)) {
      unit.refused(error);
    }
    this.#serve();
  }

  #exhaustedError(unit: Unit, waiting: number): MultiPoolerError {
    const { held, limit, room } = this.#reservations;
    if (unit.reserves === true && room === 0) {
      return reservationsError(this.#options, { held, limit, waiting });
    }
    const { size, idleCount } = this.#pool;
    const shared = this.#shared.size;
    return exhaustedError(this.#options, { size, idle: idleCount, shared, waiting });
  }

  #queueFullError({ byteLength }: Unit): MultiPoolerError {
    const { size, bytes } = this.#queue;
    const { maxQueueBytes } = this.#options;
    return queueFullError({ size, bytes, byteLength, maxQueueBytes });
  }
}

/** What has to set something again for each unit cannot be shared, nor what cannot be read. */
function kindOf(unit: Unit): UnitKind {
  const { changesIdentity, obscuresText } = settingsOf(unit);
  return changesIdentity || obscuresText ? "exclusive" : unit.kind;
}

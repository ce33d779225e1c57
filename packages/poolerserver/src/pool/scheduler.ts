import { PoolerErrorCode } from "@multipooler/query-service";
import { Taint } from "../classification/taint.ts";
import { MultiPoolerError } from "../error.ts";
import { Grant } from "./grant.ts";
import type { GrantKeeper } from "./grant.ts";
import { settingsOf } from "./label.ts";
import { liftsReadOnlyError } from "./label-settings.ts";
import type { LabelSettings } from "./label-settings.ts";
import type { Member } from "./member.ts";
import { Pool } from "./pool.ts";
import type { PoolAccess } from "./pool.ts";
import type { PoolReport } from "./pool-report.ts";
import type { SchedulerOptions } from "./scheduler-options.ts";
import { exhaustedError, queueFullError } from "./scheduler-refusal.ts";
import { Sharing } from "./sharing.ts";
import { UnitQueue } from "./unit-queue.ts";
import type { Unit, UnitKind } from "./unit.ts";
import type { Demand } from "./user-share.ts";

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
  readonly #pool: Pool;
  readonly #queue: UnitQueue;
  readonly #sharing: Sharing;
  /** Sessions with units of several holders in their FIFO. */
  readonly #shared: Member[] = [];
  #isServing = false;
  #isPaused = false;
  readonly #exclusiveEnds: GrantKeeper;
  readonly #sharedEnds: GrantKeeper;
  readonly #onRelabelled = (): void => this.#serve();

  constructor(options: SchedulerOptions, access: PoolAccess) {
    const { clock, waitTimeoutMs, maxQueueBytes } = options;
    this.#options = options;
    this.#queue = new UnitQueue({
      clock,
      limitMs: waitTimeoutMs,
      maxBytes: maxQueueBytes,
      onExpired: (unit, waiting) => {
        unit.refused(this.#exhaustedError(waiting));
        this.#serve();
        this.#tellIfUnused();
      },
    });
    this.#sharing = new Sharing(options.sharingDepth);
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
      unit.refused(closedError());
      return;
    }
    const member = this.#queue.size === 0 ? this.#find(unit) : undefined;
    if (member !== undefined) {
      this.#grant(unit, member);
    } else if (this.#queue.enter(unit)) {
      this.#pool.supply();
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
      this.#tellIfUnused();
    }
    return isGone;
  }

  /** What it holds, and who waits. */
  report(): PoolReport {
    return {
      user: this.#options.user,
      servers: this.#pool.servers(),
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
    const error = closedError();
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
      this.#options.totals.noteWait(this.#queue.take(unit));
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
    if (this.#isPaused) {
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
    const least = this.#leastShared(settings);
    if (least !== undefined && least.units < this.#sharing.spreadDepth) {
      return least;
    }
    if (least !== undefined && this.#shared.length >= this.#sharing.useful) {
      return least;
    }
    return this.#pool.takeIdle(settings) ?? least;
  }

  #leastShared(settings: LabelSettings): Member | undefined {
    // Sessions that have to end come back once they get no more.
    if (this.#shared.length === 0 || this.#pool.isOverLimit) {
      return undefined;
    }
    const least = this.#leastOf(settings, undefined);
    if (least === undefined) {
      return undefined;
    }
    const now = this.#options.clock.monotonic();
    return this.#isInTime(least, now) ? least : this.#leastOf(settings, now);
  }

  /**
   * Which of them has room and the fewest units, and is in time at `now` if that is given. It is asked
   * several times a statement, so it makes no garbage: no iterator, and no times where numbers do.
   */
  #leastOf(settings: LabelSettings, now: number | undefined): Member | undefined {
    let least: Member | undefined;
    let fewest = this.#sharing.depth;
    for (let index = 0; index < this.#shared.length; index += 1) {
      const member = this.#shared[index];
      if (
        member !== undefined &&
        member.units < fewest &&
        member.use === "shared" &&
        member.takesMore &&
        member.settings === settings &&
        !member.awaitsSettings &&
        (now === undefined || this.#isInTime(member, now))
      ) {
        least = member;
        fewest = member.units;
      }
    }
    return least;
  }

  /** Whether it is not to be replaced, and does not run something long. */
  #isInTime(member: Member, now: number): boolean {
    return (
      this.#pool.isRecent(member, now) && this.#sharing.isShortSoFar(member.run.unitSince, now)
    );
  }

  #grant(unit: Unit, member: Member): void {
    this.#options.totals.noteGrant();
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
      unit.granted(new Grant(member, this.#exclusiveEnds));
      return;
    }
    if (member.use !== "shared") {
      member.use = "shared";
      member.run.begin(this.#options.clock.monotonic());
      this.#shared.push(member);
    }
    member.units += 1;
    member.takesMore = unit.kind === "shareable";
    unit.granted(new Grant(member, this.#sharedEnds));
  }

  /** A unit in the FIFO of a shared session has ended; the session is free with the last of them. */
  #endShared(member: Member): Promise<void> | undefined {
    const now = this.#options.clock.monotonic();
    member.units -= 1;
    if (member.takesMore) {
      member.run.unitEnded(now, member.units === 0, this.#sharing);
    } else {
      // It may have waited for a lock.
      member.run.begin(now);
    }
    if (member.taint !== Taint.None) {
      member.takesMore = false;
    }
    if (member.units > 0) {
      this.#pool.noteAlive(now);
      this.#serve();
      return undefined;
    }
    this.#shared.splice(this.#shared.indexOf(member), 1);
    return this.#pool.giveBack(member);
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

  #exhaustedError(waiting: number): MultiPoolerError {
    const { size, idleCount } = this.#pool;
    const shared = this.#shared.length;
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

function closedError(): MultiPoolerError {
  return new MultiPoolerError(PoolerErrorCode.NotOpen, "the controller is not open");
}

import { Taint } from "../classification/taint.ts";
import type { MultiPoolerError } from "../error.ts";
import type { BackendAccess, BackendEnd } from "./backend.ts";
import { cleanSession } from "./cleaning.ts";
import { DemandWindow } from "./demand-window.ts";
import { Dialer } from "./dialer.ts";
import type { OpenedSession } from "./dialer.ts";
import { IdleSessions } from "./idle-sessions.ts";
import type { LabelSettings } from "./label-settings.ts";
import { NO_SETTINGS } from "./label-settings.ts";
import { expiryOf } from "./lifetime.ts";
import { Member } from "./member.ts";
import { Members } from "./members.ts";
import type { SchedulerOptions } from "./scheduler-options.ts";
import type { ServerReport } from "./pool-report.ts";
import { ServerCondition } from "./server-condition.ts";
import type { Demand } from "./user-share.ts";
import { Vigilance } from "./vigilance.ts";

/** A session that was used so recently, and before that too, is missed by those who want its settings. */
const RECENT_MS = 1000;

/**
 * The sessions that a pool keeps. "none": those that are opened for somebody are read-only, and
 * closed when nobody waits for them any more.
 */
export type PoolAccess = BackendAccess | "none";

/** Whom a pool has sessions for. */
export interface PoolDemand {
  /** Sessions that are waited for. */
  readonly wanted: () => number;
  /** A session has become idle. */
  readonly onIdle: () => void;
  readonly onDialFailed: (error: MultiPoolerError) => void;
  /** The last session has ended, or a dial has failed that was the last. */
  readonly onEmpty: () => void;
}

/**
 * The sessions of one pool: opens them while they are waited for, keeps them while they are young
 * and in use, and ends them. What is given back is idle again only when it is as it was at its start.
 */
export class Pool {
  readonly #options: SchedulerOptions;
  readonly #demand: PoolDemand;
  readonly #dialer: Dialer;
  readonly #vigilance: Vigilance;
  readonly #idle: IdleSessions;
  readonly #server: ServerCondition;
  readonly #members = new Members();
  readonly #demanded: DemandWindow;
  #access: PoolAccess;
  #generation = 0;
  #closing: PromiseWithResolvers<void> | undefined;

  constructor(options: SchedulerOptions, access: PoolAccess, demand: PoolDemand) {
    this.#options = options;
    this.#access = access;
    this.#demand = demand;
    this.#demanded = new DemandWindow(options.demandWindowMs);
    this.#server = new ServerCondition(options.logger);
    this.#idle = new IdleSessions({
      ...options,
      idleTimeoutMs: () => options.idleTimeoutMs,
      staying: () => this.#members.staying,
      isUsable: (member, now) => this.#isUsable(member, now),
      end: (member) => void this.#end(member),
    });
    this.#dialer = new Dialer({
      ...options,
      onOpened: (opened) => this.#onOpened(opened),
      onFailed: (error, isServerFull) => this.#onDialFailed(error, isServerFull),
      onRoom: () => this.#onRoom(),
    });
    this.#vigilance = new Vigilance({
      ...options,
      busySessions: () => this.#members.busy(),
      takeIdle: () => this.#idle.clear(),
      onVerified: (member) => this.#place(member),
    });
  }

  /** Sessions, those that are being ended included. */
  get size(): number {
    return this.#members.size;
  }

  /** Whether no session is left that could serve somebody again. */
  get isEmpty(): boolean {
    return this.#members.isEmpty;
  }

  /** See {@link Members.parameters}. */
  get parameters(): ReadonlyMap<string, string> | undefined {
    return this.#members.parameters(this.#access);
  }

  /** Whether there is no session, and none is being opened. */
  get isVacant(): boolean {
    return this.#members.size + this.dials === 0;
  }

  /** Whether it has more sessions than it may; some of them have to end when they come back. */
  get isOverLimit(): boolean {
    const { share } = this.#options;
    // What is leaving already makes up for a part of that.
    return share.used - this.#members.leaving > share.limit;
  }

  /** Sessions that nobody uses. */
  get idleCount(): number {
    return this.#idle.size;
  }

  /** See {@link Demand}; `now` on the monotonic clock. */
  demanded(now: number): Demand {
    const current = this.#noteDemand(this.#demand.wanted(), now);
    return { current, lately: this.#demanded.peak(now) };
  }

  /** Dials under way. */
  get dials(): number {
    return this.#dialer.count;
  }

  /** When the server last showed that it works on what the pool sends; on the monotonic clock. */
  get aliveAt(): number {
    return this.#vigilance.aliveAt;
  }

  /** Whether clients hold every session without asking anything of it, and no other is opened. */
  get isHeldIdle(): boolean {
    return this.dials === 0 && this.#members.areHeldIdle;
  }

  /** Its sessions, one by one. */
  servers(): ServerReport[] {
    const now = this.#options.clock.monotonic();
    return this.#members.reports((member) => this.isRecent(member, now));
  }

  get isClosing(): boolean {
    return this.#closing !== undefined;
  }

  noteAlive(now: number): void {
    this.#vigilance.noteAlive(now);
  }

  /**
   * Takes the best idle session; see {@link IdleSessions.take}. Where it has other settings that are
   * likely to be wanted again, one more is opened if there is room.
   */
  takeIdle(settings: LabelSettings): Member | undefined {
    const now = this.#options.clock.monotonic();
    const member = this.#idle.take(settings, now);
    if (member === undefined) {
      return undefined;
    }
    this.#vigilance.watch();
    this.#noteDemand(0, now);
    if (member.settings !== settings && member.settings !== NO_SETTINGS) {
      this.#replaceRecent(member, now);
    }
    return member;
  }

  #replaceRecent({ idleSince, matches }: Member, now: number): void {
    if (now - idleSince < RECENT_MS && matches > 0 && this.dials === 0) {
      this.#dialOne();
    }
  }

  /** Sessions that exist now are not used again: they have defaults that were changed. */
  renew(): void {
    this.#generation += 1;
    this.#idle.endAll();
  }

  /** The limits of the options have changed; the share tells of its own. */
  readonly limitsChanged = (): void => this.#idle.limitChanged();

  /** Whether it is not to be replaced, for its age or for the defaults that it has. */
  isRecent({ generation, expiresAt }: Member, now: number): boolean {
    return generation === this.#generation && now < expiresAt;
  }

  /** Gets sessions for those who wait: idle ones that have to answer first, then new ones. */
  supply(): void {
    const wanted = this.#closing === undefined ? this.#demand.wanted() : 0;
    if (wanted === 0) {
      return;
    }
    this.#noteDemand(wanted, this.#options.clock.monotonic());
    let missing = wanted - this.#dialer.count - this.#vigilance.awaited;
    while (missing > 0 && (this.#verifyOne() || this.#dialOne())) {
      missing -= 1;
    }
  }

  /**
   * Takes a session back when nothing of its holder is in flight. A promise, which never rejects,
   * resolves when it was cleaned.
   */
  giveBack(member: Member): Promise<void> | undefined {
    if (member.use === "leaving" || member.use === "ended") {
      return undefined;
    }
    member.stopRelabelling();
    if (member.taint === Taint.None) {
      this.#place(member);
      return undefined;
    }
    return (member.taint & Taint.Lasting) === 0 ? this.#clean(member) : this.#end(member);
  }

  /** Ends a session whose state is not known; cuts it if something is in flight. */
  discard(member: Member, reason: unknown): void {
    if (!member.backend.idle) {
      member.backend.destroy(reason);
    }
    void this.#end(member);
  }

  /**
   * From now on only sessions of this access are kept. Those of another one are ended: idle ones at
   * once, lent ones when they come back.
   */
  setAccess(access: PoolAccess): void {
    if (access !== this.#access) {
      this.#access = access;
      this.#idle.endAll();
    }
  }

  /**
   * Ends dials and idle sessions, waits for lent ones and cuts them after `closeGraceMs`. Resolves
   * when every socket is closed and every place in the share is free. Idempotent; never rejects.
   */
  async close(reason: MultiPoolerError): Promise<void> {
    if (this.#closing !== undefined) {
      return await this.#closing.promise;
    }
    this.#closing = Promise.withResolvers();
    this.#vigilance.close();
    this.#dialer.close(reason);
    this.#idle.close();
    const grace = this.#options.clock.setTimer(() => this.cut(reason), this.#options.closeGraceMs);
    this.#tellIfVacant();
    await this.#closing.promise;
    grace.cancel();
  }

  /** See {@link Members.cut}. */
  cut(reason: MultiPoolerError): void {
    this.#members.cut(reason);
  }

  #noteDemand(wanted: number, now: number): number {
    const current = this.#members.staying - this.#idle.size + wanted;
    this.#demanded.note(current, now);
    return current;
  }

  /** Whether sessions that nobody waits for are kept. */
  #keepsIdle(): boolean {
    return this.#access !== "none" && !this.#server.isLeaving;
  }

  /** The share has changed: fewer sessions may be kept, or more opened. */
  #onRoom(): void {
    this.#idle.endWhile(() => this.isOverLimit);
    this.supply();
  }

  #isUsable(member: Member, now: number): boolean {
    const isOfAccess = this.#access === "none" || member.access === this.#access;
    return (
      this.#closing === undefined &&
      isOfAccess &&
      (this.#keepsIdle() || this.#demand.wanted() > 0) &&
      member.isAsItWas &&
      this.isRecent(member, now) &&
      !this.isOverLimit
    );
  }

  /** Finds the next place for a session that nobody uses: among the idle ones, or the door. */
  #place(member: Member): void {
    const now = this.#options.clock.monotonic();
    if (!this.#isUsable(member, now)) {
      void this.#end(member);
      return;
    }
    this.noteAlive(now);
    member.use = "idle";
    this.#idle.push(member, now);
    this.#demand.onIdle();
    if (!this.#keepsIdle()) {
      this.#idle.endAll();
    }
  }

  #clean(member: Member): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    member.use = "cleaning";
    this.#vigilance.watch();
    this.#options.totals.noteOwnRequest();
    cleanSession(member.backend, member.taint, (isClean) => {
      if (isClean) {
        member.cleaned();
        this.#place(member);
      } else {
        void this.#end(member);
      }
      resolve();
    });
    return promise;
  }

  /** Makes the session that was used last answer for one who waits. */
  #verifyOne(): boolean {
    const member = this.#idle.takeTop(this.#options.clock.monotonic());
    if (member === undefined) {
      return false;
    }
    this.#vigilance.verify(member, { isAwaited: true });
    return true;
  }

  #dialOne(): boolean {
    const access = this.#access === "none" ? "read-only" : this.#access;
    return (
      this.#members.size + this.dials < this.#options.capacity &&
      this.#dialer.dial(access, this.#generation)
    );
  }

  #onOpened(opened: OpenedSession): void {
    const times = { openedAt: this.#options.clock.now(), expiresAt: expiryOf(this.#options) };
    const member = new Member({ ...this.#options, ...opened, ...times });
    this.#options.totals.user(this.#options.user).add(member.backend);
    this.#server.noteOpened();
    this.#members.add(member);
    void member.backend.closed.then((end) => this.#onEnded(member, end));
    this.#place(member);
  }

  #onDialFailed(error: MultiPoolerError, isServerFull: boolean): void {
    if (this.#closing !== undefined) {
      this.#tellIfVacant();
      return;
    }
    this.#server.noteRefused(error, isServerFull, this.#demand.wanted());
    this.#options.suspect(error);
    if (this.#server.isLeaving) {
      this.#idle.endAll();
    }
    if (!isServerFull) {
      this.#demand.onDialFailed(error);
      this.#dialer.rest();
    }
    this.#tellIfVacant();
  }

  async #end(member: Member): Promise<void> {
    if (this.#members.leave(member)) {
      await member.backend.close();
    }
  }

  #onEnded(member: Member, end: BackendEnd): void {
    this.#members.remove(member);
    member.end(end);
    this.#options.totals.user(this.#options.user).remove(member.backend);
    member.slot.release();
    this.#idle.remove(member);
    this.#vigilance.noteEnd(end);
    this.supply();
    this.#tellIfVacant();
  }

  #tellIfVacant(): void {
    if (this.isVacant && this.#closing === undefined) {
      this.#demand.onEmpty();
    } else if (this.isVacant) {
      this.#closing?.resolve();
    }
  }
}

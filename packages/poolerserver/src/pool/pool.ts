import { Taint } from "../classification/taint.ts";
import type { MultiPoolerError } from "../error.ts";
import { lostError } from "../postgres-error.ts";
import type { Backend, BackendAccess, BackendEnd } from "./backend.ts";
import { cleanSession } from "./cleaning.ts";
import { Dialer } from "./dialer.ts";
import type { OpenedSession } from "./dialer.ts";
import { IdleStack } from "./idle-stack.ts";
import { canBecome } from "./label-difference.ts";
import type { LabelSettings } from "./label-settings.ts";
import { NO_SETTINGS } from "./label-settings.ts";
import { Member } from "./member.ts";
import type { SchedulerOptions } from "./scheduler-options.ts";
import { ServerCondition } from "./server-condition.ts";
import { SilenceWatch } from "./silence-watch.ts";
import { Verification } from "./verification.ts";

/** Lifetimes are shortened by up to this share, so that sessions opened together do not end so. */
const LIFETIME_JITTER = 0.1;
/** A session that was idle for so long has to answer before it is used. */
const VERIFY_AFTER_MS = 5000;
/** A session that was used so recently is missed by those who want its settings. */
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
}

/**
 * The sessions of one pool: opens them while they are waited for, keeps them while they are young
 * and in use, and ends them. What is given back is idle again only when it is as it was at its start.
 */
export class Pool {
  readonly #options: SchedulerOptions;
  readonly #demand: PoolDemand;
  readonly #dialer: Dialer;
  readonly #watch: SilenceWatch;
  readonly #verification: Verification;
  readonly #idle: IdleStack<Member>;
  readonly #server: ServerCondition;
  readonly #members = new Map<Backend, Member>();
  #access: PoolAccess;
  #leaving = 0;
  #generation = 0;
  #aliveAt = Number.NEGATIVE_INFINITY;
  #closing: PromiseWithResolvers<void> | undefined;

  constructor(options: SchedulerOptions, access: PoolAccess, demand: PoolDemand) {
    const { clock, processes } = options;
    this.#options = options;
    this.#access = access;
    this.#demand = demand;
    this.#server = new ServerCondition(options.logger);
    this.#idle = new IdleStack({
      clock,
      limitMs: options.idleTimeoutMs,
      onExpired: (member) => void this.#end(member),
    });
    this.#dialer = new Dialer({
      ...options,
      onOpened: (opened) => this.#onOpened(opened),
      onFailed: (error, isServerFull) => this.#onDialFailed(error, isServerFull),
      onRoom: () => this.#onRoom(),
    });
    this.#verification = new Verification({
      clock,
      onSilent: (member, problem) => this.#onSilent(member.backend, problem),
      onEnd: (member) => this.#place(member),
    });
    this.#watch = new SilenceWatch({
      clock,
      processes,
      busySessions: () => this.#busySessions(),
      onSilent: (session, problem) => this.#onSilent(session, problem),
      onAlive: () => this.noteAlive(clock.monotonic()),
    });
  }

  /** Sessions, those that are being ended included. */
  get size(): number {
    return this.#members.size;
  }

  /** Whether no session is left that could serve somebody again. */
  get isEmpty(): boolean {
    return this.#members.size === this.#leaving;
  }

  /** Dials under way. */
  get dials(): number {
    return this.#dialer.count;
  }

  /** When the server last showed that it works on what the pool sends; on the monotonic clock. */
  get aliveAt(): number {
    return this.#aliveAt;
  }

  get isClosing(): boolean {
    return this.#closing !== undefined;
  }

  noteAlive(now: number): void {
    this.#aliveAt = now;
  }

  /**
   * Takes the session that was used last of those that have these settings, else one that can get
   * them: one as it was opened, or the one that was used least recently. A session is opened beside
   * it then, if there is room and its own settings were used recently.
   */
  takeIdle(settings: LabelSettings): Member | undefined {
    const now = this.#options.clock.monotonic();
    const top = this.#usableTop(now);
    if (top === undefined || now - top.idleSince >= VERIFY_AFTER_MS) {
      return undefined;
    }
    const member = top.settings === settings ? top : this.#bestIdle(settings, now);
    if (member === undefined) {
      this.#endOldest();
      return undefined;
    }
    this.#idle.remove(member);
    this.#watch.start();
    if (member.settings !== settings && member.settings !== NO_SETTINGS) {
      this.#replaceRecent(member, now);
    }
    return member;
  }

  #bestIdle(settings: LabelSettings, now: number): Member | undefined {
    let best: Member | undefined;
    for (const member of this.#idle) {
      if (now - member.idleSince >= VERIFY_AFTER_MS) {
        break;
      }
      if (!this.#isUsable(member, now) || !canBecome(member, settings)) {
        continue;
      }
      if (member.settings === settings) {
        return member;
      }
      if (best?.settings !== NO_SETTINGS) {
        best = member;
      }
    }
    return best;
  }

  /** None of the idle ones is of use to the one who waits: makes room for another one. */
  #endOldest(): void {
    const { oldest } = this.#idle;
    if (oldest !== undefined) {
      this.#idle.remove(oldest);
      void this.#end(oldest);
    }
  }

  #replaceRecent({ idleSince }: Member, now: number): void {
    if (now - idleSince < RECENT_MS && this.dials === 0) {
      this.#dialOne();
    }
  }

  /** Sessions that exist now are not used again: they have defaults that were changed. */
  renew(): void {
    this.#generation += 1;
    this.#endIdle();
  }

  /** Gets sessions for those who wait: idle ones that have to answer first, then new ones. */
  supply(): void {
    if (this.#closing !== undefined) {
      return;
    }
    let missing = this.#demand.wanted() - this.#dialer.count - this.#verification.awaited;
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
      this.#endIdle();
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
    this.#watch.close();
    this.#dialer.close(reason);
    this.#endIdle();
    const grace = this.#options.clock.setTimer(() => {
      for (const backend of this.#members.keys()) {
        backend.destroy(reason);
      }
    }, this.#options.closeGraceMs);
    this.#resolveIfClosed();
    await this.#closing.promise;
    grace.cancel();
  }

  /** Whether sessions that nobody waits for are kept. */
  get #keepsIdle(): boolean {
    return this.#access !== "none" && !this.#server.isLeaving;
  }

  *#busySessions(): Iterable<Backend> {
    for (const { backend, use } of this.#members.values()) {
      if (use !== "idle") {
        yield backend;
      }
    }
  }

  /** The share has changed: fewer sessions may be kept, or more opened. */
  #onRoom(): void {
    const { share } = this.#options;
    while (share.used - this.#leaving > share.limit && this.#idle.oldest !== undefined) {
      const member = this.#idle.oldest;
      this.#idle.remove(member);
      void this.#end(member);
    }
    this.supply();
  }

  /** Takes unusable sessions off the idle ones until the top is usable, and leaves that there. */
  #usableTop(now: number): Member | undefined {
    for (;;) {
      const member = this.#idle.top;
      if (member === undefined || this.#isUsable(member, now)) {
        return member;
      }
      this.#idle.pop();
      void this.#end(member);
    }
  }

  #isUsable(member: Member, now: number): boolean {
    const { share } = this.#options;
    const isOfAccess = this.#access === "none" || member.access === this.#access;
    return (
      this.#closing === undefined &&
      isOfAccess &&
      (this.#keepsIdle || this.#demand.wanted() > 0) &&
      member.isAsItWas &&
      now < member.expiresAt &&
      member.generation === this.#generation &&
      // The limit may have fallen; what is leaving already makes up for a part of that.
      share.used - this.#leaving <= share.limit
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
    if (!this.#keepsIdle) {
      this.#endIdle();
    }
  }

  #clean(member: Member): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    member.use = "cleaning";
    this.#watch.start();
    const { taint } = member;
    cleanSession(member.backend, taint, (isClean) => {
      if (isClean) {
        member.cleaned(taint);
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
    const member = this.#usableTop(this.#options.clock.monotonic());
    if (member === undefined) {
      return false;
    }
    this.#idle.pop();
    this.#watch.start();
    this.#verification.start(member, { isAwaited: true });
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
    const { clock, random, maxLifetimeMs } = this.#options;
    const lifetimeMs = maxLifetimeMs * (1 - LIFETIME_JITTER * random());
    const expiresAt = maxLifetimeMs > 0 ? clock.monotonic() + lifetimeMs : Number.POSITIVE_INFINITY;
    const member = new Member({ ...opened, expiresAt });
    this.#server.noteOpened();
    this.#members.set(member.backend, member);
    void member.backend.closed.then((end) => this.#onEnded(member, end));
    this.#place(member);
  }

  #onDialFailed(error: MultiPoolerError, isServerFull: boolean): void {
    if (this.#closing !== undefined) {
      this.#resolveIfClosed();
      return;
    }
    this.#server.noteRefused(error, isServerFull, this.#demand.wanted());
    this.#options.suspect(error);
    if (this.#server.isLeaving) {
      this.#endIdle();
    }
    if (!isServerFull) {
      this.#demand.onDialFailed(error);
      this.#dialer.rest();
    }
  }

  /** The network carries nothing for this session, so perhaps not for the others either. */
  #onSilent(session: Backend, problem: string): void {
    const error = lostError(`the connection to the database is silent: ${problem}`);
    this.#options.logger.warn({ processId: session.processId, err: error }, "connection cut");
    this.#distrust(error);
    session.destroy(error);
    void this.#watch.endProcess(session);
  }

  /** Every idle session has to answer now, but nobody waits for those: others are opened. */
  #distrust(cause: MultiPoolerError): void {
    for (const member of this.#idle.clear()) {
      this.#watch.start();
      this.#verification.start(member, { isAwaited: false });
    }
    this.#options.suspect(cause);
  }

  #endIdle(): void {
    for (const member of this.#idle.clear()) {
      void this.#end(member);
    }
  }

  async #end(member: Member): Promise<void> {
    if (member.use === "leaving" || member.use === "ended") {
      return;
    }
    member.use = "leaving";
    this.#leaving += 1;
    await member.backend.close();
  }

  #onEnded(member: Member, end: BackendEnd): void {
    if (member.use === "leaving") {
      this.#leaving -= 1;
    }
    member.end(end);
    this.#members.delete(member.backend);
    member.slot.release();
    this.#idle.remove(member);
    if (end.type === "lost") {
      this.#options.logger.info({ err: end.error }, "connection to the database lost");
      this.#distrust(lostError(end.error.message, end.error));
    }
    if (this.#closing === undefined) {
      this.supply();
    } else {
      this.#resolveIfClosed();
    }
  }

  #resolveIfClosed(): void {
    if (this.#members.size + this.dials === 0) {
      this.#closing?.resolve();
    }
  }
}

import { PoolerErrorCode } from "@multipooler/controller-api";
import type { ConnectionSlot } from "@multipooler/controller-api";
import type { Timer } from "@multipooler/timing";
import type { Backend, BackendAccess, BackendEnd } from "./backend.ts";
import { MultiPoolerError, abortError } from "./error.ts";
import { IdleStack } from "./idle-stack.ts";
import type { Lease } from "./lease.ts";
import type { PoolOptions } from "./pool-options.ts";
import { WaitList } from "./wait-list.ts";

/** How long a pool waits before it dials again when the budget or the server refused. */
const REDIAL_DELAY_MS = 100;
/** Lifetimes are shortened by up to this share, so that sessions opened together do not end so. */
const LIFETIME_JITTER = 0.1;

interface Member {
  readonly backend: Backend;
  readonly slot: ConnectionSlot;
  readonly access: BackendAccess;
  readonly expiresAt: number;
  /** Is being ended. Counts until its socket is closed. */
  leaving: boolean;
}

/**
 * Sessions on one database, each lent to one borrower at a time.
 *
 * Borrowers are served in the order they came. A session that is given back goes to the first who
 * waits; otherwise the next borrower gets the one used last. Dials are started for those who wait,
 * up to the capacity and the budget: a place in the budget is taken before the dial and given back
 * when the socket is closed.
 *
 * The dials under way stand for the borrowers that wait longest. When one fails, the first who is
 * left without a dial is refused; if no session is left that could come back, all of those are.
 * While sessions are left the pool dials again no sooner than 100 ms after a failure.
 */
export class Pool {
  readonly #options: PoolOptions;
  readonly #waiting: WaitList<Lease>;
  readonly #idle: IdleStack<Member>;
  readonly #members = new Set<Member>();
  readonly #stopDials = new AbortController();
  #access: BackendAccess;
  #dials = 0;
  #leaving = 0;
  #redialTimer: Timer | undefined;
  #closing: PromiseWithResolvers<void> | undefined;

  constructor(options: PoolOptions, access: BackendAccess) {
    const { clock } = options;
    this.#options = options;
    this.#access = access;
    this.#waiting = new WaitList({ clock, limitMs: options.waitTimeoutMs });
    this.#idle = new IdleStack({
      clock,
      limitMs: options.idleTimeoutMs,
      onExpired: (member) => this.#end(member),
    });
  }

  /**
   * Lends a session, waiting for one if need be. Rejects with NOT_OPEN once the pool closes, with
   * POOL_EXHAUSTED after the wait limit, with the error of a failed dial (see the class), or when
   * the signal aborts; the session that would have come then goes to somebody else.
   */
  acquire(options: { readonly signal?: AbortSignal | undefined } = {}): Promise<Lease> {
    const { signal } = options;
    if (signal?.aborted === true) {
      return Promise.reject(abortError(signal));
    }
    if (this.#closing !== undefined) {
      return Promise.reject(closedError());
    }
    const member = this.#takeIdle();
    if (member !== undefined) {
      return Promise.resolve(this.#lend(member));
    }
    const waiting = this.#waiting.enter(signal, () => this.#exhaustedError());
    this.#dialForWaiting();
    return waiting;
  }

  /**
   * From now on only sessions of this access are lent. Those of the other one are ended: idle ones
   * at once, lent ones when they come back.
   */
  setAccess(access: BackendAccess): void {
    if (access === this.#access) {
      return;
    }
    this.#access = access;
    for (const member of this.#idle.clear()) {
      this.#end(member);
    }
  }

  /**
   * Refuses those who wait, ends dials and idle sessions, waits for lent ones and cuts them after
   * `closeGraceMs`. Resolves when every socket is closed and every place in the budget is free.
   * Idempotent; never rejects.
   */
  async close(): Promise<void> {
    if (this.#closing !== undefined) {
      return await this.#closing.promise;
    }
    this.#closing = Promise.withResolvers();
    const error = closedError();
    this.#redialTimer?.cancel();
    this.#waiting.refuse(error);
    this.#stopDials.abort(error);
    for (const member of this.#idle.clear()) {
      this.#end(member);
    }
    const grace = this.#options.clock.setTimer(() => {
      for (const member of this.#members) {
        member.backend.destroy(error);
      }
    }, this.#options.closeGraceMs);
    this.#resolveIfClosed();
    await this.#closing.promise;
    grace.cancel();
  }

  #takeIdle(): Member | undefined {
    for (;;) {
      const member = this.#idle.pop();
      if (member === undefined || this.#isUsable(member)) {
        return member;
      }
      this.#end(member);
    }
  }

  #isUsable(member: Member): boolean {
    const { budget, clock } = this.#options;
    return (
      this.#closing === undefined &&
      member.backend.idle &&
      member.backend.transactionStatus === "I" &&
      member.access === this.#access &&
      clock.monotonic() < member.expiresAt &&
      // The limit may have fallen; what is leaving already makes up for a part of that.
      budget.used - this.#leaving <= budget.limit
    );
  }

  #lend(member: Member): Lease {
    let held = true;
    const giveBack = (action: () => void): void => {
      if (held && this.#members.has(member)) {
        action();
      }
      held = false;
    };
    return {
      backend: member.backend,
      release: () => giveBack(() => this.#place(member)),
      discard: (reason) =>
        giveBack(() => {
          if (!member.backend.idle) {
            member.backend.destroy(reason);
          }
          this.#end(member);
        }),
    };
  }

  /** Finds the next place for a session that nobody uses: a borrower, the idle ones, or the door. */
  #place(member: Member): void {
    if (!this.#isUsable(member)) {
      this.#end(member);
    } else if (this.#waiting.size > 0) {
      this.#waiting.serve(this.#lend(member));
    } else {
      this.#idle.push(member);
    }
  }

  #dialForWaiting(): void {
    const { budget, capacity } = this.#options;
    while (
      this.#redialTimer === undefined &&
      this.#waiting.size > this.#dials &&
      this.#members.size + this.#dials < capacity
    ) {
      const slot = budget.tryAcquire();
      if (slot === undefined) {
        this.#dialLater();
      } else {
        void this.#dial(slot);
      }
    }
  }

  #dialLater(): void {
    this.#redialTimer ??= this.#options.clock.setTimer(() => {
      this.#redialTimer = undefined;
      this.#dialForWaiting();
    }, REDIAL_DELAY_MS);
  }

  async #dial(slot: ConnectionSlot): Promise<void> {
    const { openBackend, clock, random, maxLifetimeMs } = this.#options;
    const access = this.#access;
    this.#dials += 1;
    let backend: Backend;
    try {
      backend = await openBackend(access, { signal: this.#stopDials.signal });
    } catch (error) {
      this.#dials -= 1;
      slot.release();
      this.#onDialFailed(error);
      return;
    }
    this.#dials -= 1;
    const lifetimeMs = maxLifetimeMs * (1 - LIFETIME_JITTER * random());
    const expiresAt = maxLifetimeMs > 0 ? clock.monotonic() + lifetimeMs : Number.POSITIVE_INFINITY;
    const member: Member = { backend, slot, access, expiresAt, leaving: false };
    this.#members.add(member);
    void backend.closed.then((end) => this.#onEnded(member, end));
    this.#place(member);
  }

  #onDialFailed(cause: unknown): void {
    if (this.#closing !== undefined) {
      this.#resolveIfClosed();
      return;
    }
    const error =
      cause instanceof MultiPoolerError
        ? cause
        : new MultiPoolerError(PoolerErrorCode.Internal, "a dial failed unexpectedly", { cause });
    this.#options.logger.debug({ err: error, waiting: this.#waiting.size }, "dial failed");
    if (this.#members.size === this.#leaving) {
      this.#waiting.refuse(error, this.#dials);
      return;
    }
    this.#waiting.refuse(error, this.#dials, 1);
    this.#dialLater();
  }

  #end(member: Member): void {
    member.leaving = true;
    this.#leaving += 1;
    void member.backend.close();
  }

  #onEnded(member: Member, end: BackendEnd): void {
    this.#members.delete(member);
    if (member.leaving) {
      this.#leaving -= 1;
    }
    member.slot.release();
    this.#idle.remove(member);
    if (end.type === "lost") {
      this.#options.logger.info({ err: end.error }, "connection to the database lost");
    }
    if (this.#closing === undefined) {
      this.#dialForWaiting();
    } else {
      this.#resolveIfClosed();
    }
  }

  #resolveIfClosed(): void {
    if (this.#members.size + this.#dials === 0) {
      this.#closing?.resolve();
    }
  }

  #exhaustedError(): MultiPoolerError {
    const { capacity, budget, waitTimeoutMs } = this.#options;
    return new MultiPoolerError(
      PoolerErrorCode.PoolExhausted,
      `no connection became free within ${waitTimeoutMs} ms: ${this.#members.size} of ` +
        `${capacity} are in use, ${this.#waiting.size} requests wait, and all connections ` +
        `together may be ${budget.limit}`,
    );
  }
}

function closedError(): MultiPoolerError {
  return new MultiPoolerError(PoolerErrorCode.NotOpen, "the controller is not open");
}

import type { ConnectionShare } from "@multipooler/controller-api";
import { PoolerErrorCode } from "@multipooler/query-service";
import { untilAborted } from "../abort.ts";
import { withLimits } from "../changeable-limits.ts";
import type { SchedulerLimits } from "../changeable-limits.ts";
import { MultiPoolerError } from "../error.ts";
import { TOO_MANY_CONNECTIONS } from "../postgres-error.ts";
import type { OpenBackend } from "./backend.ts";
import type { UnitScheduler } from "./borrowing.ts";
import type { Identity, Label } from "./label.ts";
import type { PoolAccess } from "./pool.ts";
import type { PoolReport } from "./pool-report.ts";
import type { SchedulerOptions } from "./scheduler-options.ts";
import { Scheduler } from "./scheduler.ts";
import { isSameKeys } from "./scram-keys.ts";
import type { Unit } from "./unit.ts";
import type { UserBudget } from "./user-budget.ts";
import type { Demand, UserShare } from "./user-share.ts";

/** Users at once; each of them has a connection at least, or waits for one. */
const MAX_USERS = 10_000;

export interface UserPoolsOptions extends Omit<
  SchedulerOptions,
  "openBackend" | "share" | "users" | "user"
> {
  readonly database: string;
  /** The role of units without a label. */
  readonly user: string;
  readonly openBackend: (identity: Identity) => OpenBackend;
  /** The budget of the server, which outlives the pools. */
  readonly budget: UserBudget;
}

/** The budget's share for one connection that is no pool's. */
export interface SingleShare {
  readonly share: ConnectionShare;
  /** To be called once, when the connection has ended. */
  end(): void;
}

interface IdentityPool {
  readonly identity: Identity;
  readonly scheduler: Scheduler;
}

interface UserPool {
  readonly share: UserShare;
  readonly pools: IdentityPool[];
}

/**
 * The pools of one database: one for each user and each pair of keys that a user came with, under the
 * budget of the server, which is divided among users and databases. A unit only gets sessions that were opened with the keys it has: whether
 * those are right is for the server to say. So a changed password makes another pool, while sessions
 * that were opened with the former one live on for those who have that.
 *
 * A pool without sessions and without anybody who waits is gone, but for that of the configured role.
 */
export class UserPools implements UnitScheduler {
  readonly #options: UserPoolsOptions;
  readonly #users = new Map<string, UserPool>();
  readonly #default: Scheduler;
  #access: PoolAccess;
  #limits: SchedulerLimits;
  #isPaused = false;
  /** Resolves when a pool has lost its last session. */
  #vacancy = Promise.withResolvers<void>();
  #closing: Promise<void> | undefined;

  constructor(options: UserPoolsOptions, access: PoolAccess) {
    const { user } = options;
    this.#options = options;
    this.#access = access;
    this.#limits = options;
    const own = this.#addUser(user);
    this.#default = this.#addPool(own, { user, keys: undefined }, { isKept: true });
  }

  /** Whether there is a session that is not being ended. */
  get hasSessions(): boolean {
    return this.#schedulers().some(({ hasSessions }) => hasSessions);
  }

  /** See {@link Scheduler.isAwaited}. */
  get isAwaited(): boolean {
    return this.#schedulers().some(({ isAwaited }) => isAwaited);
  }

  /** See {@link Pool.parameters}; of the user of the database handle. */
  get parameters(): ReadonlyMap<string, string> | undefined {
    return this.#default.parameters;
  }

  /** See {@link Pool.parameters}; of the pool that units of this label go to. */
  parametersFor(label: Label | undefined): ReadonlyMap<string, string> | undefined {
    return label === undefined ? this.parameters : this.#find(label)?.parameters;
  }

  /** See {@link Scheduler.isHeldIdle}. */
  get isHeldIdle(): boolean {
    const used = this.#schedulers().filter(({ hasSessions }) => hasSessions);
    return used.length > 0 && used.every(({ isHeldIdle }) => isHeldIdle);
  }

  /** When the server last showed that it works on what the pools send; on the monotonic clock. */
  get aliveAt(): number {
    return Math.max(...this.#schedulers().map(({ aliveAt }) => aliveAt));
  }

  /** See {@link Scheduler.noteSilence}. */
  noteSilence(): void {
    for (const scheduler of this.#schedulers()) {
      scheduler.noteSilence();
    }
  }

  /** See {@link Scheduler.submit}. */
  submit(unit: Unit): void {
    const { label } = unit;
    if (label === undefined) {
      this.#default.submit(unit);
      return;
    }
    const scheduler = this.#find(label) ?? this.#open(label);
    if (scheduler === undefined) {
      unit.refused(tooManyUsersError(this.#users.size));
    } else {
      scheduler.submit(unit);
    }
  }

  /** See {@link Scheduler.withdraw}. */
  withdraw(unit: Unit): boolean {
    const { label } = unit;
    const scheduler = label === undefined ? this.#default : this.#find(label);
    return scheduler?.withdraw(unit) ?? false;
  }

  /** See {@link Pool.setAccess}. */
  setAccess(access: PoolAccess): void {
    this.#access = access;
    for (const scheduler of this.#schedulers()) {
      scheduler.setAccess(access);
    }
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Grants no session until `resume`, and ends each one when it comes back. Idempotent. */
  pause(): void {
    this.#isPaused = true;
    for (const scheduler of this.#schedulers()) {
      scheduler.pause();
    }
  }

  resume(): void {
    this.#isPaused = false;
    for (const scheduler of this.#schedulers()) {
      scheduler.resume();
    }
  }

  /** Gives every pool other limits. */
  changeLimits(limits: SchedulerLimits): void {
    this.#limits = limits;
    for (const scheduler of this.#schedulers()) {
      scheduler.limitsChanged();
    }
  }

  /** Resolves when there is no session at all. Rejects when the signal aborts. */
  async untilVacant(signal: AbortSignal | undefined): Promise<void> {
    while (!this.#schedulers().every(({ isVacant }) => isVacant)) {
      await untilAborted(this.#vacancy.promise, signal);
    }
  }

  /** Cuts every session. */
  cut(reason: MultiPoolerError): void {
    for (const scheduler of this.#schedulers()) {
      scheduler.cut(reason);
    }
  }

  /** What each user has; those with several pairs of keys once for each. */
  reports(): PoolReport[] {
    return this.#schedulers().map((scheduler) => scheduler.report());
  }

  /** See {@link Pool.renew}. */
  renew(): void {
    for (const scheduler of this.#schedulers()) {
      scheduler.renew();
    }
  }

  /** See {@link UserBudget.openSingle}; the share is given back with `end`. */
  openSingle(): SingleShare | undefined {
    const { budget, database, user } = this.#options;
    const share = budget.openSingle({ database, user });
    return share === undefined ? undefined : { share, end: () => budget.end(share) };
  }

  /** See {@link Scheduler.close}. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.all(this.#schedulers().map(async (scheduler) => await scheduler.close()));
    for (const { share } of this.#users.values()) {
      this.#options.budget.end(share);
    }
  }

  #schedulers(): Scheduler[] {
    return [...this.#users.values()].flatMap(({ pools }) =>
      pools.map(({ scheduler }) => scheduler),
    );
  }

  #find(wanted: Identity): Scheduler | undefined {
    const user = this.#users.get(wanted.user);
    for (const { identity, scheduler } of user?.pools ?? []) {
      if (isSameKeys(identity.keys, wanted.keys)) {
        return scheduler;
      }
    }
    return undefined;
  }

  #open({ user, keys }: Identity): Scheduler | undefined {
    // A pool that is closing refuses by itself.
    if (this.#closing !== undefined) {
      return this.#default;
    }
    const known = this.#users.get(user);
    if (known === undefined && this.#users.size >= MAX_USERS) {
      return undefined;
    }
    return this.#addPool(known ?? this.#addUser(user), { user, keys }, { isKept: false });
  }

  #addUser(name: string): UserPool {
    const pools: IdentityPool[] = [];
    const { budget, database } = this.#options;
    const share = budget.open({ database, user: name }, (now) => demandOf(pools, now));
    const user = { share, pools };
    this.#users.set(name, user);
    return user;
  }

  #addPool(user: UserPool, identity: Identity, { isKept }: { isKept: boolean }): Scheduler {
    const { suspect, openBackend, budget, ...options } = this.#options;
    const scheduler: Scheduler = new Scheduler(
      withLimits(
        {
          ...options,
          openBackend: openBackend(identity),
          user: identity.user,
          users: () => budget.size,
          share: user.share,
          mayComeFree: (whose) => budget.hasAny(user.share.owner, whose),
          dials: budget.dials,
          suspect: (cause) => {
            if (isKept || !isAboutRole(cause)) {
              suspect(cause);
            }
          },
          onVacant: () => {
            this.#vacancy.resolve();
            this.#vacancy = Promise.withResolvers();
          },
          onUnused: () => {
            if (!isKept && this.#closing === undefined) {
              this.#removePool(user, identity, scheduler);
            }
          },
        },
        () => this.#limits,
      ),
      this.#access,
    );
    if (this.#isPaused) {
      scheduler.pause();
    }
    user.pools.push({ identity, scheduler });
    return scheduler;
  }

  #removePool(user: UserPool, { user: name }: Identity, scheduler: Scheduler): void {
    const index = user.pools.findIndex((pool) => pool.scheduler === scheduler);
    if (index === -1) {
      return;
    }
    user.pools.splice(index, 1);
    // Nothing of it is left that this would wait for.
    void scheduler.close();
    if (user.pools.length === 0) {
      this.#users.delete(name);
      this.#options.budget.end(user.share);
    }
  }
}

function demandOf(pools: readonly IdentityPool[], now: number): Demand {
  let current = 0;
  let lately = 0;
  for (const { scheduler } of pools) {
    const demand = scheduler.demand(now);
    current += demand.current;
    lately += demand.lately;
  }
  return { current, lately };
}

/** A wrong password, or a role that may not have another connection, says nothing about the database. */
function isAboutRole({ code, diagnostic }: MultiPoolerError): boolean {
  return code === PoolerErrorCode.AuthenticationFailed || diagnostic?.code === TOO_MANY_CONNECTIONS;
}

function tooManyUsersError(count: number): MultiPoolerError {
  return new MultiPoolerError(
    PoolerErrorCode.PoolExhausted,
    `${count} users have connections or wait for some, and no more are taken`,
  );
}

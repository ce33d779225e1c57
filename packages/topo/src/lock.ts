import type { Abortable, Version } from "./key-value.ts";
import type { Session } from "./session.ts";

export interface LockOptions extends Abortable {
  /** The session that holds the lock: its end gives the lock up. */
  readonly session: Session;
  /** Who holds the lock and what for. Others who find it held read it. */
  readonly description: string;
}

/** A lock that is held, until it is released or its session ends. */
export interface Lock {
  /** The holder's key. */
  readonly key: string;
  /**
   * Grows from holder to holder. What the lock protects should refuse work that carries a
   * smaller one than it has seen.
   */
  readonly fencingRevision: Version;
  /** The signal of the session: the lock is lost when it aborts. */
  readonly signal: AbortSignal;
  /** Gives the lock to the next waiter. Idempotent. */
  release(options?: Abortable): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Who holds a lock. */
export interface LockHolder {
  readonly description: string;
  readonly fencingRevision: Version;
}

/** Mutual exclusion by name, first come first served. */
export interface Locker {
  /**
   * Waits until the lock is held. An abort leaves nothing behind. NODE_EXISTS where the same
   * session holds or awaits the lock already.
   */
  lock(path: string, options: LockOptions): Promise<Lock>;
  /** Takes the lock if nobody holds or awaits it; NODE_EXISTS, naming the holder, otherwise. */
  tryLock(path: string, options: LockOptions): Promise<Lock>;
  /** Who holds the lock now, if anybody. */
  lockHolder(path: string, options?: Abortable): Promise<LockHolder | undefined>;
}

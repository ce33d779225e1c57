import type { Clock } from "@multipooler/timing";
import { TopoError, TopoErrorCode, isTopoError } from "./error.ts";
import { joinKey } from "./keys.ts";
import type { Abortable } from "./key-value.ts";
import type { Lock, LockHolder, LockOptions, Locker } from "./lock.ts";
import { Place, discard, holderOf, queue } from "./lock-place.ts";
import type { Location } from "./record-collection.ts";
import type { Session } from "./session.ts";

export interface KeyLockerOptions {
  readonly locate: (options: Abortable) => Promise<Location>;
  readonly clock: Clock;
  /** A number from 0 up to 1. */
  readonly random: () => number;
}

/**
 * Locks over a store of keys. A session that wants one creates `<root>/<path>/locks/<session id>`,
 * bound to itself. The oldest key holds the lock; every other waits for the one just before it, so
 * that a release wakes one waiter and not all. Go's clients of Multigres queue in the same folder.
 */
export class KeyLocker implements Locker {
  readonly #locate: (options: Abortable) => Promise<Location>;
  readonly #clock: Clock;
  readonly #random: () => number;
  /** The locks that each session holds or awaits: it has one key for each of them. */
  readonly #claims = new WeakMap<Session, Set<string>>();

  constructor({ locate, clock, random }: KeyLockerOptions) {
    this.#locate = locate;
    this.#clock = clock;
    this.#random = random;
  }

  async lock(path: string, options: LockOptions): Promise<Lock> {
    const place = await this.#queueUp(path, options);
    try {
      for (;;) {
        const { ahead } = await place.look();
        if (ahead === undefined) {
          return place.hold();
        }
        await place.waitUntilGone(ahead);
      }
    } catch (error) {
      await place.leave();
      throw error;
    }
  }

  async tryLock(path: string, options: LockOptions): Promise<Lock> {
    const place = await this.#queueUp(path, options);
    try {
      const { ahead, holder } = await place.look();
      if (ahead === undefined) {
        return place.hold();
      }
      const message = `held by ${holder.description}`;
      throw new TopoError({ code: TopoErrorCode.NodeExists, key: path, message });
    } catch (error) {
      await place.leave();
      throw error;
    }
  }

  async lockHolder(path: string, options: Abortable = {}): Promise<LockHolder | undefined> {
    const { store, root } = await this.#locate(options);
    const [first] = await queue(store, `${joinKey(root, path, "locks")}/`, options.signal);
    return first && holderOf(first);
  }

  async #queueUp(path: string, options: LockOptions): Promise<Place> {
    const giveUpClaim = this.#claim(path, options.session);
    try {
      return await this.#createPlace(path, options, giveUpClaim);
    } catch (error) {
      giveUpClaim();
      throw error;
    }
  }

  /**
   * Keeps a session from a second place in the queue of a lock: where its outcome is unknown, the
   * key that is discarded would be the one of the first place.
   */
  #claim(path: string, session: Session): () => void {
    const name = joinKey(path);
    const claims = this.#claims.get(session) ?? new Set();
    this.#claims.set(session, claims);
    if (claims.has(name)) {
      const message = "this session holds or awaits the lock already";
      throw new TopoError({ code: TopoErrorCode.NodeExists, key: path, message });
    }
    claims.add(name);
    return () => claims.delete(name);
  }

  async #createPlace(
    path: string,
    { session, description, signal }: LockOptions,
    onGone: () => void,
  ): Promise<Place> {
    const { store, root } = await this.#locate({ signal });
    const folder = `${joinKey(root, path, "locks")}/`;
    const both = signal === undefined ? session.signal : AbortSignal.any([signal, session.signal]);
    const place = {
      store,
      folder,
      key: `${folder}${session.id}`,
      clock: this.#clock,
      random: this.#random,
      signal: both,
    };
    const value = Buffer.from(description);
    try {
      const createVersion = await store.create(place.key, value, { session, signal: both });
      return new Place({ ...place, createVersion, sessionSignal: session.signal, onGone });
    } catch (error) {
      // Whether the key is there is known only of the other errors.
      if (isTopoError(error, "TIMEOUT", "INTERRUPTED", "UNAVAILABLE")) {
        await discard(place);
      }
      throw error;
    }
  }
}

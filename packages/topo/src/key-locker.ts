import { Backoff } from "./backoff.ts";
import type { Clock } from "./clock.ts";
import { withDeadline } from "./deadline.ts";
import { TopoError, TopoErrorCode, interruption, isTopoError } from "./error.ts";
import { joinKey } from "./keys.ts";
import type { Abortable, KeyValue, KeyValueStore, Version } from "./key-value.ts";
import type { Lock, LockHolder, LockOptions, Locker } from "./lock.ts";
import type { Location } from "./record-collection.ts";

/** How long a waiter that gives up may take to remove its key, in milliseconds. */
const discardMs = 5000;

/** What a locker is made of. */
export interface KeyLockerOptions {
  readonly locate: (options: Abortable) => Promise<Location>;
  readonly clock: Clock;
  /** A number from 0 up to 1. */
  readonly random: () => number;
}

/**
 * Locks over a store of keys: whoever wants one creates `<root>/<path>/locks/<session id>`, bound
 * to the session. The oldest key holds the lock; every other waits for the one just before it, so
 * that a release wakes one waiter and not all. Go's clients of Multigres queue in the same folder.
 */
export class KeyLocker implements Locker {
  readonly #locate: (options: Abortable) => Promise<Location>;
  readonly #clock: Clock;
  readonly #random: () => number;

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
        if (ahead === undefined) return place.hold();
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
      if (ahead === undefined) return place.hold();
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

  async #queueUp(path: string, { session, description, signal }: LockOptions): Promise<Place> {
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
      return new Place({ ...place, createVersion, sessionSignal: session.signal });
    } catch (error) {
      // Whether the key is there is known only of the other errors.
      if (isTopoError(error, "TIMEOUT", "INTERRUPTED", "UNAVAILABLE")) await discard(place);
      throw error;
    }
  }
}

/** What it takes to delete the key of one who gave up. */
interface Discarding {
  readonly store: KeyValueStore;
  readonly key: string;
  readonly clock: Clock;
  readonly random: () => number;
}

interface PlaceOptions extends Discarding {
  readonly folder: string;
  /** The caller's and the session's. */
  readonly signal: AbortSignal;
  readonly sessionSignal: AbortSignal;
  readonly createVersion: Version;
}

/** A place in the queue of a lock. */
class Place {
  readonly #options: PlaceOptions;

  constructor(options: PlaceOptions) {
    this.#options = options;
  }

  /** Who holds the lock, and who is just ahead. */
  async look(): Promise<{ ahead: KeyValue | undefined; holder: LockHolder }> {
    const { store, folder, key, createVersion, signal } = this.#options;
    const waiting = await queue(store, folder, signal);
    const own = waiting.findIndex((entry) => entry.createVersion === createVersion);
    const first = waiting[0];
    if (own === -1 || first === undefined) {
      const message = "the place in the queue of the lock is gone";
      throw new TopoError({ code: TopoErrorCode.SessionLost, key, message });
    }
    return { ahead: waiting[own - 1], holder: holderOf(first) };
  }

  async waitUntilGone(ahead: KeyValue): Promise<void> {
    const { store, key, signal } = this.#options;
    const isAhead = (entry: KeyValue): boolean => entry.createVersion === ahead.createVersion;
    for await (const event of store.watch(ahead.key, { signal })) {
      switch (event.type) {
        case "snapshot":
          if (!event.entries.some(isAhead)) return;
          break;
        case "put":
          if (event.entry.key === ahead.key && !isAhead(event.entry)) return;
          break;
        case "delete":
          if (event.key === ahead.key) return;
          break;
        case "interrupted":
        case "resumed":
          break;
      }
    }
    throw interruption(key, signal);
  }

  hold(): Lock {
    const { store, key, createVersion, sessionSignal } = this.#options;
    let released: Promise<void> | undefined;
    const release = ({ signal }: Abortable = {}): Promise<void> => {
      released ??= remove(store, key, signal).catch((error: unknown) => {
        released = undefined;
        throw error;
      });
      return released;
    };
    return {
      key,
      fencingRevision: createVersion,
      signal: sessionSignal,
      release,
      [Symbol.asyncDispose]: () => release(),
    };
  }

  leave(): Promise<void> {
    return discard(this.#options);
  }
}

/** Those who want a lock, in the order of their arrival. */
async function queue(
  store: KeyValueStore,
  folder: string,
  signal: AbortSignal | undefined,
): Promise<readonly KeyValue[]> {
  const entries = await store.list(folder, { signal });
  return entries.toSorted((a, b) => (a.createVersion < b.createVersion ? -1 : 1));
}

function holderOf({ value, createVersion }: KeyValue): LockHolder {
  return { description: Buffer.from(value).toString(), fencingRevision: createVersion };
}

/** Deletes a key that may be gone already. */
async function remove(
  store: KeyValueStore,
  key: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    await store.delete(key, { signal });
  } catch (error) {
    if (!isTopoError(error, TopoErrorCode.NoNode)) throw error;
  }
}

/** Deletes the key of one who gave up; where that is not possible, its session's end does. */
async function discard({ store, key, clock, random }: Discarding): Promise<void> {
  const backoff = new Backoff({ minMs: 50, maxMs: 500, clock, random });
  await withDeadline({ ms: discardMs, clock }, async (signal) => {
    while (!signal.aborted) {
      try {
        await remove(store, key, signal);
        return;
      } catch (error) {
        if (!isTopoError(error, TopoErrorCode.Unavailable)) return;
      }
      await backoff.wait(signal);
    }
  });
}

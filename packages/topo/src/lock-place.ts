import { Backoff, Deadline, sleep } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { TopoError, TopoErrorCode, interruption, isTopoError } from "./error.ts";
import type { Abortable, CompareOptions, KeyValue, KeyValueStore, Version } from "./key-value.ts";
import type { Lock, LockHolder } from "./lock.ts";

/** How long a waiter that gives up may take to remove its key, in milliseconds. */
const DISCARD_MS = 5000;

/** What it takes to delete the key of one who gave up. */
interface Discarding {
  readonly store: KeyValueStore;
  readonly key: string;
  /** The revision that made the key, where that is known: a later key is another place's. */
  readonly createVersion?: Version | undefined;
  readonly clock: Clock;
  readonly random: () => number;
}

export interface PlaceOptions extends Discarding {
  readonly folder: string;
  /** The caller's and the session's. */
  readonly signal: AbortSignal;
  readonly sessionSignal: AbortSignal;
  readonly createVersion: Version;
  /** Called when the place has been given up, or at least that has been tried. */
  readonly onGone: () => void;
}

/** A place in the queue of a lock. */
export class Place {
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

  /** Waits until the place just ahead is given up. */
  async waitUntilGone(ahead: KeyValue): Promise<void> {
    const { store, key, signal } = this.#options;
    const isAhead = (entry: KeyValue): boolean => entry.createVersion === ahead.createVersion;
    for await (const event of store.watch(ahead.key, { signal })) {
      switch (event.type) {
        case "snapshot":
          if (!event.entries.some(isAhead)) {
            return;
          }
          break;
        case "put":
          if (event.entry.key === ahead.key && !isAhead(event.entry)) {
            return;
          }
          break;
        case "delete":
          if (event.key === ahead.key) {
            return;
          }
          break;
        case "interrupted":
        case "resumed":
          break;
      }
    }
    throw interruption(key, signal);
  }

  /** The lock, once nobody is ahead. */
  hold(): Lock {
    const { store, key, createVersion, sessionSignal, onGone } = this.#options;
    let released: Promise<void> | undefined;
    const release = ({ signal }: Abortable = {}): Promise<void> => {
      released ??= remove(store, key, { version: createVersion, signal })
        .catch((error: unknown) => {
          released = undefined;
          throw error;
        })
        .finally(onGone);
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

  /** Gives the place up. */
  async leave(): Promise<void> {
    await discard(this.#options);
    this.#options.onGone();
  }
}

/** Those who want a lock, in the order of their arrival. */
export async function queue(
  store: KeyValueStore,
  folder: string,
  signal: AbortSignal | undefined,
): Promise<readonly KeyValue[]> {
  const entries = await store.list(folder, { signal });
  return entries.toSorted((a, b) => (a.createVersion < b.createVersion ? -1 : 1));
}

/** The holder of a lock, by the key of its place. */
export function holderOf({ value, createVersion }: KeyValue): LockHolder {
  return { description: Buffer.from(value).toString(), fencingRevision: createVersion };
}

/** Deletes a key that may be gone already, or be another place's by now. */
async function remove(store: KeyValueStore, key: string, options: CompareOptions): Promise<void> {
  try {
    await store.delete(key, options);
  } catch (error) {
    if (!isTopoError(error, TopoErrorCode.NoNode, TopoErrorCode.BadVersion)) {
      throw error;
    }
  }
}

/** Deletes the key of one who gave up; where that is not possible, its session's end does. */
export async function discard({
  store,
  key,
  createVersion: version,
  clock,
  random,
}: Discarding): Promise<void> {
  const backoff = new Backoff({ minMs: 50, maxMs: 500, random });
  using deadline = new Deadline({ clock, ms: DISCARD_MS, what: "deleting the place in a queue" });
  const { signal } = deadline;
  while (!signal.aborted) {
    try {
      await remove(store, key, { version, signal });
      return;
    } catch (error) {
      if (!isTopoError(error, TopoErrorCode.Unavailable)) {
        return;
      }
    }
    await sleep(clock, backoff.nextMs(), signal);
  }
}

import type { Clock } from "@multipooler/timing";
import { TopoError, TopoErrorCode, interruption, storeClosed } from "../error.ts";
import type {
  Abortable,
  CompareOptions,
  CreateOptions,
  KeyEvent,
  KeyValue,
  KeyValueStore,
  PutOptions,
  Version,
} from "../key-value.ts";
import { LeaseSession, DEFAULT_TTL_MS, momentOf } from "../lease-session.ts";
import type { Session, SessionOptions } from "../session.ts";
import { checkValue } from "../value-limit.ts";
import { WatchFeed } from "../watch-feed.ts";
import type { MemorySpace } from "./memory-space.ts";

export interface MemoryStoreOptions {
  readonly space: MemorySpace;
  readonly clock: Clock;
  /** The server as errors name it. */
  readonly name: string;
  readonly onClose: (store: MemoryStore) => void;
}

/** One client of an in-memory server. */
export class MemoryStore implements KeyValueStore {
  readonly #space: MemorySpace;
  readonly #clock: Clock;
  readonly #name: string;
  readonly #onClose: (store: MemoryStore) => void;
  readonly #feeds = new Map<WatchFeed, string>();
  readonly #sessions = new Set<Session>();
  #reachable = true;
  #closed = false;

  constructor({ space, clock, name, onClose }: MemoryStoreOptions) {
    this.#space = space;
    this.#clock = clock;
    this.#name = name;
    this.#onClose = onClose;
    space.attach(this);
  }

  /** Cuts the client off from the server, or lets it back. */
  setReachable(reachable: boolean): void {
    if (this.#closed || reachable === this.#reachable) {
      return;
    }
    this.#reachable = reachable;
    for (const [feed, prefix] of this.#feeds) {
      if (reachable) {
        this.#space.watch(prefix, feed);
      } else {
        this.#space.unwatch(feed);
        feed.interrupt(this.#unavailable(prefix));
      }
    }
  }

  async get(key: string, { signal }: Abortable = {}): Promise<KeyValue | undefined> {
    this.#check(key, signal);
    return this.#space.get(key);
  }

  async list(prefix: string, { signal }: Abortable = {}): Promise<readonly KeyValue[]> {
    this.#check(prefix, signal);
    return this.#space.list(prefix);
  }

  async create(
    key: string,
    value: Uint8Array,
    { session, signal }: CreateOptions = {},
  ): Promise<Version> {
    this.#check(key, signal);
    checkValue(key, value);
    return this.#space.create(key, value, session?.id);
  }

  async put(
    key: string,
    value: Uint8Array,
    { version, session, signal }: PutOptions = {},
  ): Promise<Version> {
    this.#check(key, signal);
    checkValue(key, value);
    return this.#space.put(key, value, version, session?.id);
  }

  async delete(key: string, { version, signal }: CompareOptions = {}): Promise<void> {
    this.#check(key, signal);
    this.#space.delete(key, version);
  }

  async *watch(prefix: string, { signal }: Abortable = {}): AsyncGenerator<KeyEvent, void> {
    if (this.#closed) {
      throw storeClosed(prefix);
    }
    if (signal?.aborted === true) {
      return;
    }
    const feed = new WatchFeed();
    this.#feeds.set(feed, prefix);
    if (this.#reachable) {
      this.#space.watch(prefix, feed);
    } else {
      feed.interrupt(this.#unavailable(prefix));
    }
    try {
      yield* feed.events(signal);
    } finally {
      this.#feeds.delete(feed);
      this.#space.unwatch(feed);
    }
  }

  async openSession({ ttlMs = DEFAULT_TTL_MS, signal }: SessionOptions = {}): Promise<Session> {
    this.#check("session", signal);
    const session: Session = new LeaseSession({
      leases: {
        renew: async (id) => {
          this.#check(`session ${id}`, undefined);
          return this.#space.renew(id);
        },
        revoke: async (id) => {
          this.#check(`session ${id}`, undefined);
          this.#space.revoke(id);
        },
      },
      id: this.#space.grant(ttlMs),
      ttlMs,
      grantedAt: momentOf(this.#clock),
      clock: this.#clock,
      onEnd: (ended) => this.#sessions.delete(ended),
    });
    this.#sessions.add(session);
    return session;
  }

  async close(): Promise<void> {
    if (this.#closed) {
      return;
    }
    this.#closed = true;
    for (const [feed, prefix] of this.#feeds) {
      feed.fail(storeClosed(prefix));
    }
    for (const session of this.#sessions) {
      session.orphan();
    }
    this.#space.detach(this);
    this.#onClose(this);
  }

  #check(key: string, signal: AbortSignal | undefined): void {
    if (signal?.aborted === true) {
      throw interruption(key, signal);
    }
    if (this.#closed) {
      throw storeClosed(key);
    }
    if (!this.#reachable) {
      throw this.#unavailable(key);
    }
  }

  #unavailable(key: string): TopoError {
    const message = `the topology server at ${this.#name} is unreachable`;
    return new TopoError({ code: TopoErrorCode.Unavailable, key, message });
  }
}

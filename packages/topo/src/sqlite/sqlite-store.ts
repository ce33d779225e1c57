import type { Clock } from "@multipooler/timing";
import { interruption, storeClosed } from "../error.ts";
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
import type { Leases } from "../lease-session.ts";
import type { Session, SessionOptions } from "../session.ts";
import { checkValue } from "../value-limit.ts";
import { WatchFeed } from "../watch-feed.ts";
import type { KeyTable } from "./key-table.ts";
import { SqliteWatches } from "./sqlite-watches.ts";
import type { TopologyFile } from "./topology-file.ts";

export interface SqliteStoreOptions {
  readonly file: TopologyFile;
  readonly clock: Clock;
}

/** A store of keys in a file that several processes of one machine share. */
export class SqliteStore implements KeyValueStore {
  readonly #file: TopologyFile;
  readonly #clock: Clock;
  readonly #watches: SqliteWatches;
  readonly #closed = new AbortController();
  readonly #sessions = new Set<Session>();
  readonly #leases: Leases;
  #closing: Promise<void> | undefined;

  constructor({ file, clock }: SqliteStoreOptions) {
    this.#file = file;
    this.#clock = clock;
    this.#watches = new SqliteWatches({ file, clock });
    this.#leases = {
      renew: (id, signal) =>
        file.write((table) => table.renew(id, clock.now()), { key: `session ${id}`, signal }),
      revoke: (id, signal) => this.#write(`session ${id}`, signal, (table) => table.revoke(id)),
    };
  }

  get(key: string, { signal }: Abortable = {}): Promise<KeyValue | undefined> {
    return this.#read(key, signal, (table) => table.get(key));
  }

  list(prefix: string, { signal }: Abortable = {}): Promise<readonly KeyValue[]> {
    return this.#read(prefix, signal, (table) => table.list(prefix));
  }

  async create(
    key: string,
    value: Uint8Array,
    { session, signal }: CreateOptions = {},
  ): Promise<Version> {
    checkValue(key, value);
    return this.#write(key, signal, (table) => table.create(key, value, session?.id));
  }

  async put(
    key: string,
    value: Uint8Array,
    { version, session, signal }: PutOptions = {},
  ): Promise<Version> {
    checkValue(key, value);
    return this.#write(key, signal, (table) => table.put(key, value, version, session?.id));
  }

  delete(key: string, { version, signal }: CompareOptions = {}): Promise<void> {
    return this.#write(key, signal, (table) => table.delete(key, version));
  }

  async *watch(prefix: string, { signal }: Abortable = {}): AsyncGenerator<KeyEvent, void> {
    if (signal?.aborted === true) {
      return;
    }
    if (this.#closed.signal.aborted) {
      throw storeClosed(prefix);
    }
    const feed = new WatchFeed();
    const remove = this.#watches.add(prefix, feed);
    try {
      yield* feed.events(signal);
    } finally {
      remove();
    }
  }

  async openSession({ ttlMs = DEFAULT_TTL_MS, signal }: SessionOptions = {}): Promise<Session> {
    const grantedAt = momentOf(this.#clock);
    const wholeMs = Math.ceil(ttlMs);
    const session: Session = new LeaseSession({
      leases: this.#leases,
      id: await this.#write("session", signal, (table) => table.grant(wholeMs, grantedAt.wall)),
      ttlMs: wholeMs,
      grantedAt,
      clock: this.#clock,
      onEnd: (ended) => this.#sessions.delete(ended),
    });
    this.#sessions.add(session);
    if (this.#closed.signal.aborted) {
      session.orphan();
    }
    return session;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#closed.abort(storeClosed(this.#file.path));
    for (const session of this.#sessions) {
      session.orphan();
    }
    await this.#watches.close();
    this.#file.close();
  }

  /** Reads; leases that are due are ended first, so that nobody sees their keys any more. */
  async #read<T>(
    key: string,
    signal: AbortSignal | undefined,
    work: (table: KeyTable) => T,
  ): Promise<T> {
    const now = this.#clock.now();
    const options = { key, signal: this.#until(key, signal) };
    const result = await this.#file.read((table) => {
      const next = table.nextExpiry();
      return next !== undefined && next <= now ? undefined : { value: work(table) };
    }, options);
    return result === undefined ? this.#write(key, signal, work) : result.value;
  }

  async #write<T>(
    key: string,
    signal: AbortSignal | undefined,
    work: (table: KeyTable) => T,
  ): Promise<T> {
    const options = { key, signal: this.#until(key, signal) };
    const result = await this.#file.write((table) => {
      table.expire(this.#clock.now());
      return work(table);
    }, options);
    this.#watches.changed();
    return result;
  }

  #until(key: string, signal: AbortSignal | undefined): AbortSignal {
    if (signal?.aborted === true) {
      throw interruption(key, signal);
    }
    const closed = this.#closed.signal;
    if (closed.aborted) {
      throw storeClosed(key);
    }
    return signal === undefined ? closed : AbortSignal.any([signal, closed]);
  }
}

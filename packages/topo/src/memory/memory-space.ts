import type { Clock } from "@multipooler/timing";
import { TopoError, TopoErrorCode } from "../error.ts";
import { ExpiryTimer } from "../expiry-timer.ts";
import { compareKeys } from "../keys.ts";
import type { KeyValue, Version } from "../key-value.ts";
import type { WatchFeed } from "../watch-feed.ts";

interface StoredKey extends KeyValue {
  readonly lease: bigint | undefined;
}

interface Lease {
  readonly ttlMs: number;
  expiresAt: number;
}

/** The keys of one in-memory server, which any number of clients share. */
export class MemorySpace {
  readonly #clock: Clock;
  readonly #keys = new Map<string, StoredKey>();
  readonly #leases = new Map<bigint, Lease>();
  readonly #watches = new Map<WatchFeed, string>();
  readonly #clients = new Set<object>();
  #expiry: ExpiryTimer | undefined;
  #revision = 0n;
  #lastLease = 0n;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Leases expire by themselves while there is a client that could notice. */
  attach(client: object): void {
    this.#clients.add(client);
    this.#expiry ??= new ExpiryTimer({ clock: this.#clock, sweep: (now) => this.#sweep(now) });
    this.#expiry.schedule();
  }

  detach(client: object): void {
    this.#clients.delete(client);
    if (this.#clients.size > 0) {
      return;
    }
    this.#expiry?.stop();
    this.#expiry = undefined;
  }

  get(key: string): KeyValue | undefined {
    const stored = this.#keys.get(key);
    return stored && copyOf(stored);
  }

  list(prefix: string): KeyValue[] {
    const found = [...this.#keys.values()].filter(({ key }) => key.startsWith(prefix));
    return found.toSorted((a, b) => compareKeys(a.key, b.key)).map(copyOf);
  }

  create(key: string, value: Uint8Array, lease: bigint | undefined): Version {
    this.#expectLease(key, lease);
    if (this.#keys.has(key)) {
      throw error(TopoErrorCode.NodeExists, key, "exists already");
    }
    this.#revision += 1n;
    return this.#store({ key, value, createVersion: this.#revision, lease });
  }

  put(
    key: string,
    value: Uint8Array,
    expected: Version | undefined,
    lease: bigint | undefined,
  ): Version {
    this.#expectLease(key, lease);
    const stored = this.#keys.get(key);
    if (expected !== undefined) {
      this.#expect(key, expected);
    }
    this.#revision += 1n;
    const createVersion = stored?.createVersion ?? this.#revision;
    return this.#store({ key, value, createVersion, lease });
  }

  delete(key: string, expected: Version | undefined): void {
    this.#expect(key, expected);
    this.#revision += 1n;
    this.#remove(key);
  }

  grant(ttlMs: number): bigint {
    this.#lastLease += 1n;
    this.#leases.set(this.#lastLease, { ttlMs, expiresAt: this.#clock.now() + ttlMs });
    this.#expiry?.schedule();
    return this.#lastLease;
  }

  renew(id: bigint): boolean {
    const lease = this.#leases.get(id);
    if (lease === undefined) {
      return false;
    }
    lease.expiresAt = this.#clock.now() + lease.ttlMs;
    this.#expiry?.schedule();
    return true;
  }

  revoke(id: bigint): void {
    if (!this.#leases.delete(id)) {
      return;
    }
    this.#revision += 1n;
    for (const stored of this.#keys.values()) {
      if (stored.lease === id) {
        this.#remove(stored.key);
      }
    }
  }

  /** Loses everything and counts again from the first revision. */
  forget(): void {
    this.#keys.clear();
    this.#leases.clear();
    this.#revision = 0n;
    for (const feed of this.#watches.keys()) {
      feed.reset([]);
    }
  }

  /** Tells `feed` the keys under `prefix`, and from then on what happens to them. */
  watch(prefix: string, feed: WatchFeed): void {
    feed.reset(this.list(prefix));
    this.#watches.set(feed, prefix);
  }

  unwatch(feed: WatchFeed): void {
    this.#watches.delete(feed);
  }

  #store(entry: Omit<StoredKey, "version">): Version {
    const stored = { ...entry, value: entry.value.slice(), version: this.#revision };
    this.#keys.set(entry.key, stored);
    for (const feed of this.#watching(entry.key)) {
      feed.put(copyOf(stored));
    }
    return stored.version;
  }

  #remove(key: string): void {
    this.#keys.delete(key);
    for (const feed of this.#watching(key)) {
      feed.remove(key);
    }
  }

  *#watching(key: string): Iterable<WatchFeed> {
    for (const [feed, prefix] of this.#watches) {
      if (key.startsWith(prefix)) {
        yield feed;
      }
    }
  }

  #expectLease(key: string, lease: bigint | undefined): void {
    if (lease !== undefined && !this.#leases.has(lease)) {
      throw error(TopoErrorCode.SessionLost, key, "the session has ended");
    }
  }

  #expect(key: string, expected: Version | undefined): void {
    const stored = this.#keys.get(key);
    if (stored === undefined) {
      throw error(TopoErrorCode.NoNode, key, "does not exist");
    }
    if (expected !== undefined && stored.version !== expected) {
      throw error(
        TopoErrorCode.BadVersion,
        key,
        `has version ${stored.version}, not ${expected} any more`,
      );
    }
  }

  #sweep(now: number): number | undefined {
    let next: number | undefined;
    for (const [id, { expiresAt }] of this.#leases) {
      if (expiresAt <= now) {
        this.revoke(id);
      } else {
        next = Math.min(next ?? expiresAt, expiresAt);
      }
    }
    return next;
  }
}

function copyOf({ key, value, version, createVersion }: KeyValue): KeyValue {
  return { key, value: value.slice(), version, createVersion };
}

function error(code: TopoErrorCode, key: string, message: string): TopoError {
  return new TopoError({ code, key, message });
}

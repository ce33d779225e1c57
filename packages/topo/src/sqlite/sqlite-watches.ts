import type { Clock } from "@multipooler/timing";
import { isPermanent, isTopoError, storeClosed } from "../error.ts";
import { ExpiryTimer } from "../expiry-timer.ts";
import type { Version } from "../key-value.ts";
import type { WatchFeed } from "../watch-feed.ts";
import { ChangeSignal } from "./change-signal.ts";
import type { Change, KeyTable } from "./key-table.ts";
import type { TopologyFile } from "./topology-file.ts";

/** How soon expired leases are tried to be ended again where another process is in the way. */
const BUSY_RETRY_MS = 20;
/** How soon they are tried to be ended again where the file cannot be used, a full disk for one. */
const FAILURE_RETRY_MS = 2000;

interface Watch {
  readonly feed: WatchFeed;
  readonly prefix: string;
  /** The revision up to which the feed has been told, and of which file; none before the snapshot. */
  told: { readonly opening: number; readonly revision: Version } | undefined;
}

export interface SqliteWatchesOptions {
  readonly file: TopologyFile;
  readonly clock: Clock;
}

/**
 * The watches on a topology file. They look for changes after each commit of this process, when the
 * file shows a commit of another one, and when a lease expires: a process that watches ends it.
 */
export class SqliteWatches {
  readonly #file: TopologyFile;
  readonly #clock: Clock;
  readonly #watches = new Set<Watch>();
  readonly #closed = new AbortController();
  #sources: { readonly signal: ChangeSignal; readonly expiry: ExpiryTimer } | undefined;
  #dataVersion: bigint | undefined;
  #telling: Promise<void> | undefined;
  #tellAgain = false;

  constructor({ file, clock }: SqliteWatchesOptions) {
    this.#file = file;
    this.#clock = clock;
  }

  /** Tells `feed` of the keys under `prefix` until the way back, which it returns, is taken. */
  add(prefix: string, feed: WatchFeed): () => void {
    const watch: Watch = { feed, prefix, told: undefined };
    this.#watches.add(watch);
    this.#start();
    this.changed();
    return () => {
      this.#watches.delete(watch);
      if (this.#watches.size === 0) {
        this.#stop();
      }
    };
  }

  /** This process has changed the file. */
  changed(): void {
    if (this.#watches.size === 0) {
      return;
    }
    if (this.#telling === undefined) {
      this.#telling = this.#tellAll();
    } else {
      this.#tellAgain = true;
    }
  }

  /** Ends every watch with INTERRUPTED. */
  async close(): Promise<void> {
    this.#closed.abort(storeClosed(this.#file.path));
    for (const { feed, prefix } of this.#watches) {
      feed.fail(storeClosed(prefix));
    }
    this.#stop();
    await this.#telling;
  }

  #start(): void {
    if (this.#sources !== undefined) {
      return;
    }
    const signal = new ChangeSignal({
      path: this.#file.path,
      clock: this.#clock,
      onSign: () => this.#look(),
    });
    const expiry = new ExpiryTimer({ clock: this.#clock, sweep: (now) => this.#sweep(now) });
    this.#sources = { signal, expiry };
    signal.start();
  }

  #stop(): void {
    this.#sources?.signal.stop();
    this.#sources?.expiry.stop();
    this.#sources = undefined;
  }

  /** Something happened to the file: was it a commit of another process? */
  #look(): void {
    const version = this.#file.dataVersion();
    if (version !== undefined && version === this.#dataVersion) {
      return;
    }
    this.changed();
  }

  async #tellAll(): Promise<void> {
    do {
      this.#tellAgain = false;
      try {
        this.#dataVersion = this.#file.dataVersion();
        const options = { key: this.#file.path, signal: this.#closed.signal };
        await this.#file.read((table) => this.#tell(table), options);
        this.#sources?.expiry.schedule();
        // The reading may have made the directory, which can be listened to from now on.
        if (this.#sources?.signal.listen() === true) {
          this.#tellAgain = true;
        }
      } catch (error) {
        if (!isTopoError(error)) {
          throw error;
        }
        // The next sign of a change, the safety poll at the latest, tries again.
        this.#dataVersion = undefined;
        for (const { feed } of this.#watches) {
          if (isPermanent(error)) {
            feed.fail(error);
          } else {
            feed.interrupt(error);
          }
        }
      }
    } while (this.#tellAgain && !this.#closed.signal.aborted);
    this.#telling = undefined;
  }

  #tell(table: KeyTable): void {
    const revision = table.revision();
    const opening = this.#file.openings;
    const known = new Map<Version, readonly Change[] | undefined>();
    for (const watch of this.#watches) {
      const { feed, prefix } = watch;
      // A file that was put back in place of a later one has not got there yet.
      const isCurrent = watch.told?.opening === opening && watch.told.revision <= revision;
      const told = isCurrent ? watch.told?.revision : undefined;
      if (told !== undefined && !known.has(told)) {
        known.set(told, table.changesSince(told));
      }
      const changes = told === undefined ? undefined : known.get(told);
      if (changes === undefined) {
        feed.reset(table.list(prefix));
      } else {
        tellChanges(feed, prefix, changes);
      }
      watch.told = { opening, revision };
    }
  }

  #sweep(now: number): number | undefined {
    try {
      const next = this.#file.attempt("read", (table) => ({ at: table.nextExpiry() }));
      if (next === undefined) {
        return now + BUSY_RETRY_MS;
      }
      if (next.at === undefined || next.at > now) {
        return next.at;
      }
      const swept = this.#file.attempt("write", (table) => {
        table.expire(now);
        return { at: table.nextExpiry() };
      });
      if (swept === undefined) {
        return now + BUSY_RETRY_MS;
      }
      this.changed();
      return swept.at;
    } catch (error) {
      if (!isTopoError(error)) {
        throw error;
      }
      // The next read or write fails with the reason. The end of a lease is retried.
      return now + FAILURE_RETRY_MS;
    }
  }
}

function tellChanges(feed: WatchFeed, prefix: string, changes: readonly Change[]): void {
  for (const change of changes) {
    if (change.type === "delete") {
      if (change.key.startsWith(prefix)) {
        feed.remove(change.key);
      }
    } else if (change.entry.key.startsWith(prefix)) {
      feed.put(change.entry);
    }
  }
  feed.resume();
}

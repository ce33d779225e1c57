import type { DatabaseHandle } from "@multipooler/controller-api";
import { Deadline, PeriodicTask } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import type { Logger } from "../logger.ts";

/** PostgreSQL waits for 5 s until a database is free that somebody wants to drop. */
const READ_MS = 1000;
const TIMEOUT_MS = 2000;

/**
 * Those of the databases that `$1` lists to which one can connect. DROP DATABASE, ALTER DATABASE … RENAME
 * and SET TABLESPACE lock theirs with AccessExclusiveLock, CREATE DATABASE its template with ShareLock, and
 * then wait for others to leave; nothing else takes such a lock on a database.
 */
const DATABASES = `select datname::pg_catalog.text as name, oid::pg_catalog.text as oid,
    exists (select from pg_catalog.pg_locks
      where locktype = 'object' and classid = 'pg_catalog.pg_database'::pg_catalog.regclass
        and objid = pg_database.oid and granted
        and mode in ('AccessExclusiveLock', 'ShareLock')) as is_wanted
  from pg_catalog.pg_database
  where datallowconn and datname = any ($1::pg_catalog.text[]::pg_catalog.name[])`;

/** A database as it was when it was opened. */
export interface KnownDatabase {
  readonly name: string;
  readonly oid: string;
}

export interface DatabaseWatchOptions {
  readonly database: Pick<DatabaseHandle, "admin">;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Those to look after. */
  readonly known: () => readonly KnownDatabase[];
  /** It was dropped or renamed, another one has its name, or it takes no connections any more. */
  readonly onGone: (name: string) => void;
  /** Somebody waits until nobody is connected to it. */
  readonly onWanted: (name: string) => void;
  /** Called after each look, also where the server gave no answer. */
  readonly onRead: () => void;
}

/** Notices, within a few seconds, that databases are gone, or are to go. Begins with the first call of `open`. */
export class DatabaseWatch {
  readonly #options: DatabaseWatchOptions;
  readonly #task: PeriodicTask;

  constructor(options: DatabaseWatchOptions) {
    const { clock } = options;
    this.#options = options;
    this.#task = new PeriodicTask({ clock, run: (signal) => this.#read(signal) });
  }

  /** Idempotent. */
  open(): void {
    this.#task.open();
  }

  /** Looks without waiting for the next turn. */
  lookNow(): void {
    this.#task.poke();
  }

  /** Aborts what is being read. Idempotent. */
  async close(): Promise<void> {
    await this.#task.close();
  }

  async #read(signal: AbortSignal): Promise<number> {
    const { clock, logger, known, onRead } = this.#options;
    const looked = known();
    const what = "reading the databases";
    using deadline = new Deadline({ clock, ms: TIMEOUT_MS, what, signal });
    try {
      if (looked.length > 0) {
        await this.#look(looked, deadline.signal);
      }
    } catch (error) {
      if (!signal.aborted) {
        logger.debug({ err: error }, "the databases could not be read");
      }
    }
    if (!signal.aborted) {
      onRead();
    }
    return READ_MS;
  }

  async #look(looked: readonly KnownDatabase[], signal: AbortSignal): Promise<void> {
    const { database, logger, onGone, onWanted } = this.#options;
    const names = looked.map(({ name }) => name);
    const rows = await database.admin(DATABASES, [names], { signal });
    for (const { name, oid } of looked) {
      const row = rows.find((one) => one["name"] === name && one["oid"] === oid);
      if (row === undefined) {
        logger.debug({ database: name, oid }, "a database is gone");
        onGone(name);
      } else if (row["is_wanted"] === true) {
        onWanted(name);
      }
    }
  }
}

import type { DatabaseHandle } from "@multipooler/controller-api";
import { Deadline, PeriodicTask } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { untilAborted } from "../abort.ts";
import type { Logger } from "../logger.ts";

const READ_MS = 2000;
const TIMEOUT_MS = 2000;
/** The first reading is waited for longer: without it all sessions that are opened are replaced by the next. */
const FIRST_TIMEOUT_MS = 10_000;

/**
 * What ALTER ROLE … SET and ALTER DATABASE … SET have left, as far as it concerns this database: one
 * text that is another one after a change, and by role, or none, what `client_encoding` is set to.
 */
const DEFAULTS = `with own as (
    select * from pg_catalog.pg_db_role_setting
    where setdatabase = 0 or setdatabase =
      (select oid from pg_catalog.pg_database where datname = $1::pg_catalog.name)
  )
  select coalesce((select pg_catalog.md5(pg_catalog.string_agg(
      setdatabase || ' ' || setrole || ' ' || setconfig::pg_catalog.text, ';'
      order by setdatabase, setrole)) from own), '') as signature,
    (select pg_catalog.json_object_agg(role, encoding)::pg_catalog.text from (
      select distinct on (setrole) coalesce(rolname, '') as role,
        pg_catalog.split_part(entry, '=', 2) as encoding
      from own left join pg_catalog.pg_roles r on r.oid = setrole,
        pg_catalog.unnest(setconfig) as entry
      where entry like 'client\\_encoding=%'
      order by setrole, setdatabase desc
    ) as of_role) as encodings`;
/** In {@link DEFAULTS}, what is set for every role. */
const EVERY_ROLE = "";

export interface DefaultsWatchOptions {
  readonly database: Pick<DatabaseHandle, "admin" | "database">;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Whether there are sessions whose defaults matter. */
  readonly isNeeded: () => boolean;
  /** Sessions that were opened before may have other defaults than a new one would. */
  readonly onChanged: () => void;
}

/**
 * Notices, within a few seconds, that the defaults of sessions were changed for a role or the
 * database: PostgreSQL gives them to new sessions only.
 */
export class DefaultsWatch {
  readonly #options: DefaultsWatchOptions;
  readonly #task: PeriodicTask;
  readonly #firstRead = Promise.withResolvers<void>();
  #isFirst = true;
  #signature: unknown = undefined;
  #encodings: ReadonlyMap<string, string> = new Map();

  constructor(options: DefaultsWatchOptions) {
    const { clock } = options;
    this.#options = options;
    this.#task = new PeriodicTask({ clock, run: (signal) => this.#read(signal) });
  }

  /**
   * To be called before a session is opened. Resolves after the first attempt to read, or when the
   * watch is closed. Rejects when the signal aborts.
   */
  async open(signal: AbortSignal): Promise<void> {
    this.#task.open();
    await untilAborted(this.#firstRead.promise, signal);
  }

  /**
   * The `client_encoding` of a session of that role which names none; `undefined`: that of the
   * database.
   */
  encodingOf(user: string): string | undefined {
    return this.#encodings.get(user) ?? this.#encodings.get(EVERY_ROLE);
  }

  /** Aborts what is being read. Idempotent. */
  async close(): Promise<void> {
    await this.#task.close();
    this.#firstRead.resolve();
  }

  async #read(signal: AbortSignal): Promise<number> {
    const { database, clock, logger, isNeeded } = this.#options;
    if (!this.#isFirst && !isNeeded()) {
      return READ_MS;
    }
    const what = "reading the defaults of sessions";
    const ms = this.#isFirst ? FIRST_TIMEOUT_MS : TIMEOUT_MS;
    using deadline = new Deadline({ clock, ms, what, signal });
    try {
      const [row] = await database.admin(DEFAULTS, [database.database], {
        signal: deadline.signal,
      });
      this.#encodings = encodingsIn(row?.["encodings"]);
      this.#note(row?.["signature"]);
    } catch (error) {
      if (!signal.aborted) {
        logger.debug({ err: error }, "the defaults of sessions could not be read");
      }
    } finally {
      this.#isFirst = false;
      this.#firstRead.resolve();
    }
    return READ_MS;
  }

  #note(signature: unknown): void {
    const isChanged = signature !== this.#signature;
    this.#signature = signature;
    // What the first attempt finds is what every session begins with.
    if (isChanged && !this.#isFirst) {
      this.#options.logger.info({}, "defaults of sessions have changed; connections are replaced");
      this.#options.onChanged();
    }
  }
}

function encodingsIn(text: unknown): ReadonlyMap<string, string> {
  const encodings: unknown = typeof text === "string" ? JSON.parse(text) : undefined;
  const entries = Object.entries(encodings ?? {});
  return new Map(entries.map(([role, encoding]) => [role, String(encoding)]));
}

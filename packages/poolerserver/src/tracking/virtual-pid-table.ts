import type { DatabaseHandle, ServingTarget } from "@multipooler/controller-api";
import { LimitedLogger } from "@multipooler/logging";
import { PoolerErrorCode } from "@multipooler/query-service";
import { Deadline } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { isPoolerError } from "../error.ts";
import type { Logger } from "../logger.ts";
import { servesAsPrimary } from "../serving/admission.ts";

/** The manager owns it, and makes it on a primary. */
const TABLE = "multigres.backend_vpid";

/**
 * Deletes the rows of the processes `$1` as far as they are of the clients `$2`, and writes that those
 * of `$3` serve the clients `$4`. No process is in both.
 */
const CHANGE_SQL = `WITH released AS (
    DELETE FROM ${TABLE} AS known
    USING unnest($1::int4[], $2::int8[]) AS gone (backend_pid, vpid)
    WHERE known.backend_pid = gone.backend_pid AND known.vpid = gone.vpid)
  INSERT INTO ${TABLE} AS known (backend_pid, vpid)
  SELECT taken.backend_pid, taken.vpid
    FROM unnest($3::int4[], $4::int8[]) AS taken (backend_pid, vpid)
  ON CONFLICT (backend_pid) DO UPDATE SET vpid = excluded.vpid, updated_at = pg_catalog.now()`;

/** What a pooler that was killed has left, or a server that was restarted. */
const DELETE_DEAD_SQL = `DELETE FROM ${TABLE} AS known WHERE NOT EXISTS (
    SELECT FROM pg_catalog.pg_stat_activity AS activity WHERE activity.pid = known.backend_pid)`;

/** One statement takes no longer; a client waits for two of them at most. */
const LIMIT_MS = 1000;
/** After a row could not be written, e.g. because there is no table, clients run without for so long. */
const PAUSE_MS = 5000;

/** Which backend serves which client. */
export interface Assignment {
  readonly processId: number;
  readonly virtualPid: number;
}

interface Change extends Assignment {
  readonly isRelease: boolean;
  /** Resolves with whether it, or what came in its place, was written. */
  readonly written: PromiseWithResolvers<WriteOutcome>;
}

/** "refused": nothing was written; "unknown": nobody can say. */
type WriteOutcome = "written" | "refused" | "unknown";

export interface VirtualPidTableOptions {
  readonly database: Pick<DatabaseHandle, "admin">;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Writes which client each backend serves, over the manager's connections and outside of what clients
 * run: others see it at once, and no ROLLBACK takes it away. One statement is under way at a time, with
 * all changes since the one before.
 */
export class VirtualPidTable {
  readonly #options: VirtualPidTableOptions;
  readonly #logger: LimitedLogger;
  #isPrimary = false;
  #pausedUntil = Number.NEGATIVE_INFINITY;
  /** By process; for the next statement. */
  #changes = new Map<number, Change>();
  #isClearingDue = false;
  #writing: Promise<void> | undefined;

  constructor(options: VirtualPidTableOptions) {
    this.#options = options;
    this.#logger = new LimitedLogger(options.logger);
  }

  /** Whether assignments are written now. */
  get isKept(): boolean {
    return this.#isPrimary && this.#options.clock.monotonic() >= this.#pausedUntil;
  }

  /** The table can be written on a primary only, and is cleared of dead processes there. */
  prepare(target: ServingTarget): void {
    this.#isPrimary = servesAsPrimary(target);
    this.#pausedUntil = Number.NEGATIVE_INFINITY;
    if (this.#isPrimary) {
      this.#isClearingDue = true;
      this.#writing ??= this.#writeAll();
    }
  }

  /** Writes an assignment. Resolves with whether it has to be released; never rejects. */
  async assign(assignment: Assignment): Promise<boolean> {
    return (await this.#change(assignment, false)) !== "refused";
  }

  /** Deletes an assignment. Resolves with whether it is certainly gone; never rejects. */
  async release(assignment: Assignment): Promise<boolean> {
    return (await this.#change(assignment, true)) === "written";
  }

  /** Resolves when nothing is under way. No assignment may come any more; never rejects. */
  async close(): Promise<void> {
    await this.#writing;
    this.#logger.flush();
  }

  #change({ processId, virtualPid }: Assignment, isRelease: boolean): Promise<WriteOutcome> {
    const overtaken = this.#changes.get(processId);
    const written = overtaken?.written ?? Promise.withResolvers<WriteOutcome>();
    this.#changes.set(processId, { processId, virtualPid, isRelease, written });
    this.#writing ??= this.#writeAll();
    return written.promise;
  }

  /** To be called while there is something to write. Never rejects. */
  async #writeAll(): Promise<void> {
    while (this.#isClearingDue || this.#changes.size > 0) {
      if (this.#isClearingDue) {
        this.#isClearingDue = false;
        await this.#run(DELETE_DEAD_SQL, []);
      } else {
        await this.#writeChanges();
      }
    }
    this.#writing = undefined;
  }

  async #writeChanges(): Promise<void> {
    const changes = [...this.#changes.values()];
    this.#changes = new Map();
    const released = changes.filter(({ isRelease }) => isRelease);
    const taken = changes.filter(({ isRelease }) => !isRelease);
    const outcome = await this.#run(CHANGE_SQL, [
      released.map(({ processId }) => processId),
      released.map(({ virtualPid }) => virtualPid),
      taken.map(({ processId }) => processId),
      taken.map(({ virtualPid }) => virtualPid),
    ]);
    for (const { written } of changes) {
      written.resolve(outcome);
    }
  }

  async #run(sql: string, values: readonly unknown[]): Promise<WriteOutcome> {
    const { database, clock } = this.#options;
    using deadline = new Deadline({ clock, ms: LIMIT_MS, what: "a change of the process ids" });
    try {
      await database.admin(sql, values, { signal: deadline.signal });
      return "written";
    } catch (error) {
      this.#pausedUntil = clock.monotonic() + PAUSE_MS;
      const problem = "the process ids of clients are not recorded";
      this.#logger.warn({ err: error, pauseMs: PAUSE_MS }, problem);
      const isRefused = isPoolerError(error) && error.code === PoolerErrorCode.DatabaseError;
      return isRefused ? "refused" : "unknown";
    }
  }
}

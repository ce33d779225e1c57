import type { CallOptions } from "@multipooler/query-service";
import { onlyRow, textOf } from "../postgres/row.ts";
import type { StatementRunner } from "../postgres/sidecar-schema.ts";

/** What an ordinary role does not see of a standby reads as "?". */
const STANDBYS_SQL = `
  SELECT current_setting('synchronous_standby_names') AS wanted,
         coalesce((SELECT string_agg(
             concat(coalesce(application_name, '?'), ' (', coalesce(sync_state, '?'), ')'),
             ', ' ORDER BY application_name, pid)
           FROM pg_stat_replication), 'none') AS connected`;

export interface CommitWaitOptions {
  readonly database: Pick<StatementRunner, "query">;
  /** Called, synchronously, after each change of {@link CommitWait.fault}. */
  readonly onChange: () => void;
}

/**
 * Remembers that commits of a primary wait for a synchronous standby: since when, and for which. A
 * commit waits without a bound, so that one that was tried, the heartbeat's, tells of all others.
 */
export class CommitWait {
  readonly #options: CommitWaitOptions;
  #since: Date | undefined;
  #standbys: string | undefined;

  constructor(options: CommitWaitOptions) {
    this.#options = options;
  }

  /** One line that stays the same while nothing changes; `undefined` if no commit waits. */
  get fault(): string | undefined {
    if (this.#since === undefined) {
      return undefined;
    }
    const since = `commits wait for a synchronous standby since ${this.#since.toISOString()}`;
    return this.#standbys === undefined ? since : `${since}: ${this.#standbys}`;
  }

  /** A commit that began at that time was not confirmed. */
  async began(at: Date, options: CallOptions): Promise<void> {
    this.#since ??= at;
    this.#standbys = await this.#readStandbys(options);
    this.#options.onChange();
  }

  /** A commit was confirmed, or nobody commits any more. */
  ended(): void {
    if (this.#since !== undefined) {
      this.#since = undefined;
      this.#standbys = undefined;
      this.#options.onChange();
    }
  }

  /** Whether standbys or configuration are others than when the last commit was not confirmed. */
  async hasChanged(options: CallOptions): Promise<boolean> {
    return (await this.#readStandbys(options)) !== this.#standbys;
  }

  /** `undefined` where the server does not say. */
  async #readStandbys(options: CallOptions): Promise<string | undefined> {
    try {
      const row = onlyRow(await this.#options.database.query(STANDBYS_SQL, [], options));
      const wanted = JSON.stringify(textOf(row, "wanted"));
      return `synchronous_standby_names is ${wanted}, connected: ${textOf(row, "connected")}`;
    } catch {
      // That commits wait is worth knowing without it.
      return undefined;
    }
  }
}

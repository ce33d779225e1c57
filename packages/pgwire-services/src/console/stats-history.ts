import { PeriodicTask } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import type { ConsolePooler, ConsoleTotals } from "./console-pooler.ts";

/** As long as PgBouncer's `stats_period`. */
const PERIOD_MS = 60_000;

export const NO_TOTALS: ConsoleTotals = {
  logins: 0,
  grants: 0,
  waitMs: 0,
  clientParses: 0,
  serverParses: 0,
  binds: 0,
  requests: 0,
  transactions: 0,
  busyMs: 0,
  transactionMs: 0,
  bytesSent: 0,
  bytesReceived: 0,
};

/** What was done in a database during the last whole period. */
export interface PeriodOfDatabase {
  readonly before: ConsoleTotals;
  readonly after: ConsoleTotals;
  readonly ms: number;
}

type Snapshot = ReadonlyMap<string, ConsoleTotals>;

/** Remembers the totals of each minute, for averages. */
export class StatsHistory {
  readonly #pooler: Pick<ConsolePooler, "databases">;
  readonly #task: PeriodicTask;
  #before: Snapshot = new Map();
  #after: Snapshot = new Map();
  #ms = 0;

  constructor({ pooler, clock }: { pooler: Pick<ConsolePooler, "databases">; clock: Clock }) {
    this.#pooler = pooler;
    let at = clock.monotonic();
    this.#task = new PeriodicTask({
      clock,
      run: () => {
        const now = clock.monotonic();
        this.#turn(now - at);
        at = now;
        return Promise.resolve(PERIOD_MS);
      },
    });
  }

  open(): void {
    this.#task.open();
  }

  async close(): Promise<void> {
    await this.#task.close();
  }

  /** `undefined` before a period has passed. */
  last(database: string): PeriodOfDatabase | undefined {
    return this.#ms === 0
      ? undefined
      : {
          before: this.#before.get(database) ?? NO_TOTALS,
          after: this.#after.get(database) ?? NO_TOTALS,
          ms: this.#ms,
        };
  }

  #turn(ms: number): void {
    this.#before = this.#after;
    this.#after = new Map(this.#pooler.databases().map(({ name, totals }) => [name, totals]));
    this.#ms = ms;
  }
}

import type { CallOptions } from "@multipooler/query-service";
import { PeriodicTask, untilAborted } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { SqlState } from "../postgres/database-fault.ts";
import { messageOf } from "../error-message.ts";
import { FailureLog } from "../failure-log.ts";
import { HEARTBEAT_KEY, READ_HEARTBEAT_SQL, heartbeatTime } from "./heartbeat-table.ts";
import type { Logger } from "../logger.ts";
import { ManagerError } from "../manager-error.ts";
import type { HeartbeatStatus } from "../manager-status.ts";
import type { StatementRunner } from "../postgres/sidecar-schema.ts";

export interface HeartbeatReaderOptions {
  readonly database: Pick<StatementRunner, "query">;
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Reads on a replica what its primary writes, and so how far the replica is behind. */
export class HeartbeatReader {
  readonly #options: HeartbeatReaderOptions;
  readonly #task: PeriodicTask;
  readonly #log: FailureLog;
  readonly #firstRead = Promise.withResolvers<void>();
  #openedAt = 0;
  #last: { readonly lagMs: number; readonly at: number } | undefined;
  #lastError: string | undefined;
  /** Whether the last read found no table, because no primary has made it yet. */
  #isMissing = false;

  constructor(options: HeartbeatReaderOptions) {
    const { clock, logger } = options;
    this.#options = options;
    this.#task = new PeriodicTask({ clock, run: (signal) => this.#turn(signal) });
    this.#log = new FailureLog({ clock, logger, what: "reading the heartbeat" });
  }

  /**
   * Begins to read in the background and resolves after the first read, whether it succeeded or
   * not: the status says. Rejects when the signal aborts, with its reason.
   */
  async open({ signal }: CallOptions = {}): Promise<void> {
    this.#openedAt = this.#options.clock.monotonic();
    this.#task.open();
    const { promise } = this.#firstRead;
    await untilAborted(promise, signal);
  }

  /** The lag, or why it is not known: also when nothing was read for two intervals. */
  status(): HeartbeatStatus {
    const { clock, intervalMs } = this.#options;
    const silentMs = Math.round(clock.monotonic() - (this.#last?.at ?? this.#openedAt));
    const silence = silentMs > 2 * intervalMs ? `no heartbeat for ${silentMs} ms` : undefined;
    return {
      mode: "reader",
      lagMs: this.#last?.lagMs,
      lastError: this.#lastError ?? silence,
    };
  }

  /** Resolves when nothing is in flight. Idempotent. */
  close(): Promise<void> {
    return this.#task.close();
  }

  async #turn(signal: AbortSignal): Promise<number> {
    await this.#read(signal);
    this.#firstRead.resolve();
    return this.#options.intervalMs;
  }

  async #read(signal: AbortSignal): Promise<void> {
    const { database, clock } = this.#options;
    try {
      const rows = await database.query(READ_HEARTBEAT_SQL, [HEARTBEAT_KEY], { signal });
      const now = clock.now();
      const writtenAt = heartbeatTime(rows);
      // The clocks of two machines differ: a heartbeat from the future is one without lag.
      if (writtenAt !== undefined) {
        this.#last = { lagMs: Math.max(0, now - writtenAt), at: clock.monotonic() };
      }
      this.#lastError = undefined;
      this.#isMissing = false;
      this.#log.succeeded();
    } catch (error) {
      if (signal.aborted) {
        return;
      }
      if (isMissing(error)) {
        this.#noTable();
      } else {
        this.#lastError = messageOf(error);
        this.#isMissing = false;
        this.#log.failed(error);
      }
    }
  }

  /** How things are until a primary serves: worth one line, and no warning. */
  #noTable(): void {
    this.#lastError = "no primary wrote a heartbeat yet";
    if (!this.#isMissing) {
      this.#isMissing = true;
      this.#options.logger.info({}, `${this.#lastError}: the lag is not known`);
    }
  }
}

function isMissing(error: unknown): boolean {
  return (
    error instanceof ManagerError &&
    (error.sqlState === SqlState.UndefinedTable || error.sqlState === SqlState.InvalidSchemaName)
  );
}

import type { CallOptions } from "@multipooler/query-service";
import { Deadline, PeriodicTask } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { messageOf } from "../error-message.ts";
import type { DedicatedConnection } from "../postgres/dedicated-connection.ts";
import { FailureLog } from "../failure-log.ts";
import { CommitWait } from "./commit-wait.ts";
import {
  HEARTBEAT_KEY,
  READ_HEARTBEAT_SQL,
  WRITE_HEARTBEAT_SQL,
  heartbeatTime,
  isTableMissing,
  toNanoseconds,
} from "./heartbeat-table.ts";
import type { Logger } from "../logger.ts";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import type { HeartbeatStatus } from "../manager-status.ts";
import { booleanOf } from "../postgres/row.ts";
import { ensureSidecarSchema } from "../postgres/sidecar-schema.ts";
import type { StatementRunner } from "../postgres/sidecar-schema.ts";

/** Runs the statements of heartbeats: a `PostgresServer`. */
export interface HeartbeatDatabase extends StatementRunner {
  openDedicated(purpose: "heartbeat", options?: CallOptions): Promise<HeartbeatConnection>;
}

/** What heartbeats are written on: a `DedicatedConnection`. */
export type HeartbeatConnection = Pick<DedicatedConnection, "processId" | "query" | "close">;

export interface HeartbeatWriterOptions {
  readonly database: HeartbeatDatabase;
  /** Who writes: the application name of this pooler. */
  readonly leaderId: string;
  /** How often, and how long one write may take. */
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called, synchronously, after each change of {@link HeartbeatWriter.writeFault}. */
  readonly onChange: () => void;
}

/** How long it may take to end a write that hangs, also while the writer is being closed. */
const END_TIMEOUT_MS = 500;
/** How long it may take to read what it left. */
const READ_TIMEOUT_MS = 500;
/** The longest pause after writes that failed. */
const MAX_PAUSE_MS = 10_000;
/** How long PostgreSQL may take to end a backend. */
const TERMINATE_TIMEOUT_MS = 250;

// The name guards against a PID that another backend got in the meantime.
const TERMINATE_SQL = `
  SELECT pg_terminate_backend(pid, ${TERMINATE_TIMEOUT_MS}) AS ended FROM pg_stat_activity
  WHERE pid = $1 AND application_name LIKE 'multipooler % heartbeat' AND usename = current_user`;

/**
 * Writes on a primary, again and again, the time. A write counts when PostgreSQL says that it is
 * durable, so with synchronous replication a standby has it too. One that takes longer than the
 * interval is ended from another connection, since it may wait for a standby for ever. After
 * failures the pauses double, so that a standby that is away costs no connection and no line in
 * PostgreSQL's log each second; as soon as the standbys are others, the next write is tried. A table
 * that is gone is made again.
 */
export class HeartbeatWriter {
  readonly #options: HeartbeatWriterOptions;
  readonly #task: PeriodicTask;
  readonly #log: FailureLog;
  readonly #commitWait: CommitWait;
  #connection: HeartbeatConnection | undefined;
  #failures = 0;
  /** On the monotonic clock. */
  #pausedUntil = -Infinity;
  #lastWrittenAt: Date | undefined;
  #lastError: string | undefined;

  constructor(options: HeartbeatWriterOptions) {
    const { clock, logger } = options;
    this.#options = options;
    this.#task = new PeriodicTask({ clock, run: (stop) => this.#turn(stop) });
    this.#log = new FailureLog({ clock, logger, what: "writing the heartbeat" });
    this.#commitWait = new CommitWait(options);
  }

  /** Why commits do not end, one line; `undefined` if they do. */
  get writeFault(): string | undefined {
    return this.#commitWait.fault;
  }

  /** Begins to write in the background. Idempotent. */
  open(): void {
    this.#task.open();
  }

  status(): HeartbeatStatus {
    return {
      mode: "writer",
      lastWrittenAt: this.#lastWrittenAt,
      lastError: this.#lastError,
    };
  }

  /** Ends a write that is in flight and closes the connection. Idempotent. */
  async close(): Promise<void> {
    await this.#task.close();
    const connection = this.#connection;
    this.#connection = undefined;
    await connection?.close();
    this.#commitWait.ended();
  }

  async #turn(stop: AbortSignal): Promise<number> {
    const { clock, intervalMs } = this.#options;
    const pauseMs = this.#pausedUntil - clock.monotonic();
    if (pauseMs > 0 && !(await this.#isPauseOver(stop))) {
      return Math.min(pauseMs, intervalMs);
    }
    const startedAt = clock.now();
    try {
      await this.#write(startedAt, stop);
      this.#succeed(startedAt);
    } catch (error) {
      const outcome = await this.#abandon(startedAt, error, stop);
      if (!stop.aborted && !(await this.#madeTable(outcome, stop))) {
        this.#fail(outcome);
      }
    }
    // Between the bounds also when the clock was set in the meantime.
    return Math.min(Math.max(0, startedAt + intervalMs - clock.now()), intervalMs);
  }

  #succeed(startedAt: number): void {
    this.#lastWrittenAt = new Date(startedAt);
    this.#lastError = undefined;
    this.#failures = 0;
    this.#commitWait.ended();
    this.#log.succeeded();
  }

  #fail(outcome: unknown): void {
    const { clock, intervalMs } = this.#options;
    this.#lastError = messageOf(outcome);
    this.#log.failed(outcome);
    const pauseMs = Math.min(intervalMs * 2 ** this.#failures, MAX_PAUSE_MS);
    this.#failures += 1;
    this.#pausedUntil = clock.monotonic() + pauseMs;
  }

  /** Somebody may have dropped the table, or put an older database back. */
  async #madeTable(outcome: unknown, signal: AbortSignal): Promise<boolean> {
    if (!isTableMissing(outcome)) {
      return false;
    }
    const { database, logger } = this.#options;
    try {
      await ensureSidecarSchema(database, { signal });
      logger.info({}, "the heartbeat's table was gone and was made again");
      return true;
    } catch (error) {
      logger.warn({ err: error }, "the heartbeat's table is gone and cannot be made again");
      return false;
    }
  }

  /** A standby that is back need not wait for the end of the pause. */
  async #isPauseOver(signal: AbortSignal): Promise<boolean> {
    return this.writeFault !== undefined && (await this.#commitWait.hasChanged({ signal }));
  }

  async #write(at: number, stop: AbortSignal): Promise<void> {
    const { clock, database, intervalMs, leaderId } = this.#options;
    const what = "a heartbeat";
    using deadline = new Deadline({ clock, ms: intervalMs, what, signal: stop });
    this.#connection ??= await database.openDedicated("heartbeat", { signal: deadline.signal });
    using write = new Deadline({ clock, ms: intervalMs, what, signal: stop });
    const values = [HEARTBEAT_KEY, leaderId, toNanoseconds(at)];
    await this.#connection.query(WRITE_HEARTBEAT_SQL, values, { signal: write.signal });
  }

  /** Frees what a failed write holds, and says what became of it. */
  async #abandon(at: number, error: unknown, stop: AbortSignal): Promise<unknown> {
    const connection = this.#connection;
    this.#connection = undefined;
    if (connection === undefined) {
      return error;
    }
    if (!isUnanswered(error)) {
      await connection.close();
      return error;
    }
    const ended = await this.#terminate(connection.processId);
    await connection.close();
    const isUnconfirmed = await this.#isUnconfirmed(at, stop);
    if (stop.aborted) {
      return error;
    }
    const what = isUnconfirmed
      ? "no synchronous standby confirmed the heartbeat in time"
      : "the heartbeat could not be written in time";
    const rest = ended ? "the backend was ended" : "whether its backend ended is not known";
    return new ManagerError(ManagerErrorCode.DatabaseTimeout, `${what}; ${rest}`, {
      cause: error,
    });
  }

  /** Resolves with whether the backend is known to be gone. */
  async #terminate(processId: number): Promise<boolean> {
    const { clock, database, logger } = this.#options;
    using deadline = new Deadline({ clock, ms: END_TIMEOUT_MS, what: "ending a heartbeat" });
    try {
      const rows = await database.query(TERMINATE_SQL, [processId], { signal: deadline.signal });
      return rows.every((row) => booleanOf(row, "ended"));
    } catch (error) {
      logger.warn({ err: error, processId }, "a heartbeat that hangs could not be ended");
      return false;
    }
  }

  /** Whether a write that was not acknowledged is there; notes that commits wait then. */
  async #isUnconfirmed(at: number, stop: AbortSignal): Promise<boolean> {
    const { clock } = this.#options;
    const what = "reading a heartbeat";
    using deadline = new Deadline({ clock, ms: READ_TIMEOUT_MS, what, signal: stop });
    const { signal } = deadline;
    const isThere = await this.#wasWritten(at, signal);
    if (isThere) {
      await this.#commitWait.began(new Date(at), { signal });
    }
    return isThere;
  }

  async #wasWritten(at: number, signal: AbortSignal): Promise<boolean> {
    const { database } = this.#options;
    try {
      const rows = await database.query(READ_HEARTBEAT_SQL, [HEARTBEAT_KEY], { signal });
      return heartbeatTime(rows) === Math.round(at);
    } catch {
      // Not known; "could not be written" is the careful answer.
      return false;
    }
  }
}

/** Whether the statement may still run: the deadline passed, or the writer is being closed. */
function isUnanswered(error: unknown): boolean {
  return (
    error instanceof ManagerError &&
    (error.code === ManagerErrorCode.DatabaseTimeout || error.code === ManagerErrorCode.Cancelled)
  );
}

import type { CallOptions } from "@multipooler/query-service";
import { PeriodicTask, untilAborted } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { messageOf } from "../error-message.ts";
import { FailureLog } from "../failure-log.ts";
import { HEARTBEAT_KEY, READ_LAG_SQL, heartbeatTime, isTableMissing } from "./heartbeat-table.ts";
import type { Logger } from "../logger.ts";
import type { HeartbeatStatus } from "../manager-status.ts";
import { bigintOf, booleanOf } from "../postgres/row.ts";
import type { Row } from "../postgres/row.ts";
import type { StatementRunner } from "../postgres/sidecar-schema.ts";

export interface HeartbeatReaderOptions {
  readonly database: Pick<StatementRunner, "query">;
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The heartbeat that arrived last. */
interface LastHeartbeat {
  /** Unix milliseconds, of the clock of its writer. */
  readonly writtenAt: number;
  /** Its age when it arrived. */
  readonly arrivalLagMs: number;
  /** Its age, or that one while nothing is missing. */
  readonly lagMs: number;
  /** When that was, on the monotonic clock. */
  readonly at: number;
}

/** How far the replica is with what it received. */
interface Replay {
  readonly behindBytes: number;
  readonly isReceiving: boolean;
}

/**
 * Reads on a replica what its primary writes, and so how far the replica is behind.
 *
 * | the last heartbeat     | the replica                        | the lag is                       |
 * | ---------------------- | ---------------------------------- | -------------------------------- |
 * | is a new one           |                                    | its age                          |
 * | is the same as before  | streams, and has replayed all      | as it was when that arrived      |
 * | is the same as before  | is behind, or receives nothing     | its age, which grows             |
 */
export class HeartbeatReader {
  readonly #options: HeartbeatReaderOptions;
  readonly #task: PeriodicTask;
  readonly #log: FailureLog;
  readonly #firstRead = Promise.withResolvers<void>();
  #openedAt = 0;
  #last: LastHeartbeat | undefined;
  #replay: Replay | undefined;
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

  /** The lag, and why it may not be what it was: also when no new heartbeat came for two intervals. */
  status(): HeartbeatStatus {
    return {
      mode: "reader",
      lagMs: this.#last?.lagMs,
      behindBytes: this.#replay?.behindBytes,
      lastError: this.#lastError ?? this.#silence(),
    };
  }

  #silence(): string | undefined {
    const { clock, intervalMs } = this.#options;
    const silentMs = Math.round(clock.monotonic() - (this.#last?.at ?? this.#openedAt));
    if (silentMs <= 2 * intervalMs) {
      return undefined;
    }
    const silence = `no new heartbeat for ${silentMs} ms`;
    return this.#isCaughtUp ? `${silence}; all that was received is replayed` : silence;
  }

  get #isCaughtUp(): boolean {
    return this.#replay?.isReceiving === true && this.#replay.behindBytes === 0;
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
      const rows = await database.query(READ_LAG_SQL, [HEARTBEAT_KEY], { signal });
      this.#replay = replayOf(rows);
      this.#observe(heartbeatTime(rows), clock);
      this.#lastError = undefined;
      this.#isMissing = false;
      this.#log.succeeded();
    } catch (error) {
      if (signal.aborted) {
        return;
      }
      if (isTableMissing(error)) {
        this.#noTable();
      } else {
        this.#lastError = messageOf(error);
        this.#isMissing = false;
        this.#log.failed(error);
      }
    }
  }

  #observe(writtenAt: number | undefined, clock: Clock): void {
    if (writtenAt === undefined) {
      return;
    }
    // The clocks of two machines differ: a heartbeat from the future is one without lag.
    const ageMs = Math.max(0, clock.now() - writtenAt);
    const last = this.#last;
    if (last?.writtenAt === writtenAt) {
      this.#last = { ...last, lagMs: this.#isCaughtUp ? last.arrivalLagMs : ageMs };
    } else {
      this.#last = { writtenAt, arrivalLagMs: ageMs, lagMs: ageMs, at: clock.monotonic() };
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

function replayOf([row]: readonly Row[]): Replay | undefined {
  return row === undefined || row["behind"] === null
    ? undefined
    : {
        behindBytes: Number(bigintOf(row, "behind")),
        isReceiving: booleanOf(row, "isReceiving"),
      };
}

import type { CallOptions } from "@multipooler/query-service";
import { Backoff, Deadline, PeriodicTask } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import type { DatabaseFacts } from "./managed-database.ts";
import { FailureLog } from "../failure-log.ts";
import type { Logger } from "../logger.ts";
import { ManagerErrorCode, asManagerError } from "../manager-error.ts";
import type { ManagerError } from "../manager-error.ts";

/**
 * What is known of the database now.
 *
 * | from    | to   | when                                                                   |
 * | ------- | ---- | ---------------------------------------------------------------------- |
 * | unknown | up   | it answered                                                            |
 * | unknown | down | a dial or the question failed                                          |
 * | up      | down | two questions in a row failed, or three were not answered in time, or the database said that it leaves |
 * | unknown, up | down | another address was configured                                     |
 * | down    | up   | it answered                                                            |
 *
 * One that is up and has not answered for {@link SILENCE_MS} is told to be silent. It stays up: a busy
 * server answers late, and to end its sessions would make that worse.
 */
export type DatabaseHealth =
  | { readonly state: "unknown" }
  | { readonly state: "up"; readonly facts: DatabaseFacts; readonly silence?: string | undefined }
  | { readonly state: "down"; readonly error: ManagerError };

/** What is watched: a `ManagedDatabase`. */
export interface FactsSource {
  check(options?: CallOptions): Promise<DatabaseFacts>;
}

export interface DatabaseMonitorOptions {
  readonly database: FactsSource;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  /** How often a healthy database is asked, from question to question. */
  readonly intervalMs: number;
  /** How long a database that is down may take to be dialled and to answer. */
  readonly reconnectTimeoutMs: number;
  /** Called, synchronously, after each change of {@link DatabaseMonitor.health}, its position in the WAL aside. */
  readonly onChange: (health: DatabaseHealth) => void;
}

/** A healthy database answers in a millisecond; this includes the dial of a new connection. */
const ANSWER_TIMEOUT_MS = 1_000;
/**
 * With the interval at which it is asked, which is no longer, this is less than a second. As long as
 * that interval it takes no wake-up of its own.
 */
const SILENCE_MS = 400;
/** A server that comes back is to be found within a second, however long it was away. */
const MAX_PAUSE_MS = 800;
/** A busy server may miss one question or two; ending every session for that would be worse. */
const TIMEOUTS_UNTIL_DOWN = 3;
/** One failure may be the connection's own; the next question goes through a new one. */
const FAILURES_UNTIL_DOWN = 2;

/** Asks the database, again and again, whether it is there, in recovery and the same as before. */
export class DatabaseMonitor {
  readonly #options: DatabaseMonitorOptions;
  readonly #task: PeriodicTask;
  readonly #backoff: Backoff;
  readonly #log: FailureLog;
  #health: DatabaseHealth = { state: "unknown" };
  #failures = 0;
  /** How many expect that it does not answer. */
  #expected = 0;

  constructor(options: DatabaseMonitorOptions) {
    const { clock, logger, random } = options;
    this.#options = options;
    this.#task = new PeriodicTask({ clock, run: (signal) => this.#check(signal) });
    this.#backoff = new Backoff({ minMs: 100, maxMs: MAX_PAUSE_MS, random });
    this.#log = new FailureLog({ clock, logger, what: "connecting to PostgreSQL" });
  }

  health(): DatabaseHealth {
    return this.#health;
  }

  /** Begins to ask. Idempotent. */
  open(): void {
    this.#task.open();
  }

  /** Asks without waiting for the next turn: something looks wrong. */
  checkNow(): void {
    this.#task.poke();
  }

  /** What is known holds no more, before the next answer. Takes effect before it returns. */
  distrust(error: ManagerError): void {
    this.#failures = 0;
    this.#backoff.reset();
    this.#change({ state: "down", error });
    this.#task.poke();
  }

  /** Until that is disposed of, a database that does not answer is no news: it was told to restart. */
  expectOutage(): Disposable {
    this.#expected += 1;
    return {
      [Symbol.dispose]: () => {
        this.#expected -= 1;
      },
    };
  }

  /** Stops asking; resolves when nothing is in flight. Idempotent. */
  close(): Promise<void> {
    return this.#task.close();
  }

  async #check(signal: AbortSignal): Promise<number> {
    const { clock, database, intervalMs, reconnectTimeoutMs } = this.#options;
    const askedAt = clock.monotonic();
    const ms = this.#health.state === "up" ? ANSWER_TIMEOUT_MS : reconnectTimeoutMs;
    using deadline = new Deadline({ clock, ms, what: "the answer", signal });
    const patience = clock.setTimer(() => this.#fallSilent(), SILENCE_MS);
    try {
      const facts = await database.check({ signal: deadline.signal });
      this.#succeed(facts);
      return Math.max(0, askedAt + intervalMs - clock.monotonic());
    } catch (error) {
      return signal.aborted ? 0 : this.#fail(asManagerError(error, "asking PostgreSQL failed"));
    } finally {
      patience.cancel();
    }
  }

  #fallSilent(): void {
    if (this.#health.state === "up" && this.#health.silence === undefined) {
      const silence = `PostgreSQL has not answered for ${SILENCE_MS} ms`;
      this.#change({ ...this.#health, silence });
    }
  }

  #succeed(facts: DatabaseFacts): void {
    this.#failures = 0;
    this.#backoff.reset();
    this.#log.succeeded();
    const before = this.#health;
    if (before.state === "up" && sameFacts(before.facts, facts)) {
      if (before.silence !== undefined) {
        this.#change({ state: "up", facts });
      }
      // How far it is changes all the time.
      this.#health = { state: "up", facts };
      return;
    }
    const { inRecovery, serverVersion, server, cluster } = facts;
    const fields = { inRecovery, serverVersion, server, timeline: cluster?.timeline };
    this.#options.logger.info({ from: before.state, to: "up", ...fields }, "PostgreSQL is up");
    this.#change({ state: "up", facts });
  }

  #fail(error: ManagerError): number {
    this.#failures += 1;
    if (this.#health.state === "up" && this.#failures < failuresUntilDown(error)) {
      return 0;
    }
    if (this.#isNews(error)) {
      this.#log.failed(error);
    }
    this.#change({ state: "down", error });
    return this.#backoff.nextMs();
  }

  /** That a server leaves was logged where that was found out. */
  #isNews({ code }: ManagerError): boolean {
    return this.#expected === 0 && code !== ManagerErrorCode.DatabaseLeaving;
  }

  #change(health: DatabaseHealth): void {
    this.#health = health;
    this.#options.onChange(health);
  }
}

function failuresUntilDown({ code }: ManagerError): number {
  switch (code) {
    case ManagerErrorCode.DatabaseLeaving:
      return 1;
    case ManagerErrorCode.DatabaseTimeout:
      return TIMEOUTS_UNTIL_DOWN;
    default:
      return FAILURES_UNTIL_DOWN;
  }
}

function sameFacts(a: DatabaseFacts, b: DatabaseFacts): boolean {
  return (
    a.inRecovery === b.inRecovery &&
    a.serverVersion === b.serverVersion &&
    a.server === b.server &&
    a.place === b.place &&
    a.cluster?.systemIdentifier === b.cluster?.systemIdentifier &&
    a.cluster?.timeline === b.cluster?.timeline &&
    (a.cluster?.history === undefined) === (b.cluster?.history === undefined)
  );
}

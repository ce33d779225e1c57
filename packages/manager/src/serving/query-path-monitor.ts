import { PoolerErrorCode } from "@multipooler/query-service";
import type { CallOptions } from "@multipooler/query-service";
import { Deadline, PeriodicTask, untilAborted } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { messageOf } from "../error-message.ts";
import { FailureLog } from "../failure-log.ts";
import type { Logger } from "../logger.ts";
import { codeOfQueryPath } from "./not-ready.ts";
import type { NotReadyCode } from "./not-ready.ts";

/** Whether queries get through, as the controller last said. */
export type QueryPathHealth =
  | { readonly state: "unknown" }
  | { readonly state: "working" }
  | { readonly state: "broken"; readonly code: NotReadyCode; readonly reason: string };

export interface QueryPathMonitorOptions {
  /** The controller's `isHealthy`. */
  readonly ask: (options: CallOptions) => Promise<void>;
  /** Whether the controller holds a connection: a pool that is exhausted may be busy then. */
  readonly holdsConnections: () => boolean;
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called, synchronously, after each change of {@link QueryPathMonitor.health}. */
  readonly onChange: () => void;
  /** Called after each answer that blames the database or the way to it. */
  readonly onFault: () => void;
}

/** How long the controller may take until its signal aborts. */
const ANSWER_TIMEOUT_MS = 1_000;
/** How long it may take to judge by then: a busy pool is healthy although its check got no turn. */
const JUDGEMENT_MS = 250;
/** The weight from which the path is broken. */
const BROKEN = 30;

/**
 * Asks the controller of an open database, again and again, whether queries get through. Each
 * answer that says no has a weight; one that says yes takes all weight away.
 *
 * | answer                                                  | alone, broken after | why                                     |
 * | ------------------------------------------------------- | ------------------- | --------------------------------------- |
 * | resolves                                                | working at once     |                                         |
 * | NOT_INITIALIZED, NOT_OPEN                               | 1                   | no query can get through                |
 * | READ_ONLY                                               | 1                   | no write gets through, and the server says why |
 * | PRE_EXECUTION_UNAVAILABLE, AUTHENTICATION_FAILED, other | 2                   | one may be the connection's own         |
 * | DEADLINE_EXCEEDED, or none within 1 s                   | 3                   | a busy server may miss one or two       |
 * | POOL_EXHAUSTED, no connection held                      | 3                   | a full server: nothing can be served    |
 * | POOL_EXHAUSTED, connections held                        | 10                  | busy is not broken; ten seconds without one free connection is |
 *
 * Broken makes the pooler not ready, with the reason. It does not end the serving: what runs may
 * go on, and the path mends itself.
 */
export class QueryPathMonitor {
  readonly #options: QueryPathMonitorOptions;
  readonly #task: PeriodicTask;
  readonly #log: FailureLog;
  #weight = 0;
  #health: QueryPathHealth = { state: "unknown" };

  constructor(options: QueryPathMonitorOptions) {
    const { clock, logger } = options;
    this.#options = options;
    this.#task = new PeriodicTask({ clock, run: (signal) => this.#turn(signal) });
    this.#log = new FailureLog({ clock, logger, what: "the query path" });
  }

  get health(): QueryPathHealth {
    return this.#health;
  }

  /** Begins to ask, at once. Idempotent. */
  open(): void {
    this.#task.open();
  }

  /** Stops asking; resolves when nothing is in flight. Idempotent. */
  close(): Promise<void> {
    return this.#task.close();
  }

  async #turn(signal: AbortSignal): Promise<number> {
    const { ask, clock, intervalMs, onFault, holdsConnections } = this.#options;
    const what = "a health check";
    using bound = new Deadline({ clock, ms: ANSWER_TIMEOUT_MS, what, signal });
    using patience = new Deadline({ clock, ms: ANSWER_TIMEOUT_MS + JUDGEMENT_MS, what, signal });
    try {
      await untilAborted(ask({ signal: bound.signal }), patience.signal);
      this.#weight = 0;
      this.#log.succeeded();
      this.#change({ state: "working" });
    } catch (error) {
      if (signal.aborted) {
        return 0;
      }
      this.#weight += this.#weigh(error);
      if (this.#weight >= BROKEN) {
        this.#log.failed(error);
        const circumstances = { sqlState: sqlStateOf(error), holdsConnections: holdsConnections() };
        this.#change({
          state: "broken",
          code: codeOfQueryPath(codeOf(error), circumstances),
          reason: messageOf(error),
        });
      }
      if (codeOf(error) !== PoolerErrorCode.PoolExhausted) {
        onFault();
      }
    }
    return intervalMs;
  }

  #weigh(error: unknown): number {
    switch (codeOf(error)) {
      case PoolerErrorCode.NotInitialized:
      case PoolerErrorCode.NotOpen:
      case PoolerErrorCode.ReadOnly:
        return BROKEN;
      case PoolerErrorCode.DeadlineExceeded:
        return BROKEN / 3;
      case PoolerErrorCode.PoolExhausted:
        return BROKEN / (this.#options.holdsConnections() ? 10 : 3);
      default:
        return BROKEN / 2;
    }
  }

  #change(health: QueryPathHealth): void {
    const before = this.#health;
    this.#health = health;
    if (before.state !== health.state || reasonOf(before) !== reasonOf(health)) {
      this.#options.onChange();
    }
  }
}

function reasonOf(health: QueryPathHealth): string | undefined {
  return health.state === "broken" ? `${health.code} ${health.reason}` : undefined;
}

/** What PostgreSQL said, where it said something. */
function sqlStateOf(error: unknown): string | undefined {
  if (!(error instanceof Error && "diagnostic" in error)) {
    return undefined;
  }
  const { diagnostic } = error;
  const hasCode = typeof diagnostic === "object" && diagnostic !== null && "code" in diagnostic;
  return hasCode && typeof diagnostic.code === "string" ? diagnostic.code : undefined;
}

/** The code of a `PoolerError`; a deadline of the monitor's own counts as DEADLINE_EXCEEDED. */
function codeOf(error: unknown): unknown {
  if (!(error instanceof Error)) {
    return undefined;
  }
  if (error.name === "TimeoutError") {
    return PoolerErrorCode.DeadlineExceeded;
  }
  return "code" in error ? error.code : undefined;
}

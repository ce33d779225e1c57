import { PoolerErrorCode } from "@multipooler/query-service";
import type { ResultEvent, ResultSink } from "@multipooler/query-service";
import { Taint } from "../classification/taint.ts";
import { untilAborted } from "../abort.ts";
import { MultiPoolerError, abortError, errorDiagnostic } from "../error.ts";
import type { UnitScheduler } from "../pool/borrowing.ts";
import { preparationOf } from "../statements/backend-statement.ts";
import { Call } from "./call.ts";
import type { CallEngine } from "./call.ts";

/** The server counts as working if it has shown that within this time. */
const SIGN_OF_LIFE_MS = 3000;
/** No client has this origin, so the check waits for one unit of each client at most. */
const ORIGIN = "health check";

/** What the pools know of the server. */
export interface PoolCondition {
  readonly hasSessions: boolean;
  readonly aliveAt: number;
  /** Clients hold every session without asking anything of it. */
  readonly isHeldIdle: boolean;
  noteSilence(): void;
}

export interface HealthCheckEngine extends CallEngine {
  readonly scheduler: UnitScheduler & PoolCondition;
}

export interface HealthCheckOptions {
  /** Whether a session has to be one that can write. */
  readonly expectsWrites: boolean;
  readonly signal: AbortSignal;
}

/**
 * Asks the database for an answer over the path that queries take, their queue included.
 *
 * | the check                          | healthy                                                    |
 * | ---------------------------------- | ---------------------------------------------------------- |
 * | got an answer                      | yes, unless writes are expected and it says that transactions are read-only: READ_ONLY |
 * | got a backend, but no answer       | no: the error, or the signal's                             |
 * | was refused because a dial failed  | no: the error                                              |
 * | waited in the queue until the end  | if the pool has sessions and the server has worked on what  |
 * |                                    | they sent in the last 3 s, and since the last check that    |
 * |                                    | got no answer; or if all that there may be are held by      |
 * |                                    | clients that send nothing; else no: POOL_EXHAUSTED          |
 *
 * So a flood of clients does not make a pooler unhealthy, and neither do long statements and
 * transactions; a pool that gets no connection, or none that carries anything, does.
 *
 * Rejects when the signal aborts, although the check may hold its backend for longer.
 */
export async function checkHealth(
  engine: HealthCheckEngine,
  { expectsWrites, signal }: HealthCheckOptions,
): Promise<void> {
  if (signal.aborted) {
    throw abortError(signal);
  }
  const mode = new TransactionMode();
  const call = new Call({
    engine,
    origin: ORIGIN,
    taint: Taint.None,
    sink: mode,
    signal,
    statement: { type: "simple", sql: "show transaction_read_only" },
    preparation: preparationOf(engine.registry, undefined, Taint.None),
    onEnd: () => undefined,
  });
  try {
    await untilAborted(call.run(), signal);
  } catch (error) {
    const isWaitOver = signal.aborted || isExhausted(error);
    if (call.hasHadBackend && signal.aborted) {
      engine.scheduler.noteSilence();
    }
    if (call.hasHadBackend || !isWaitOver) {
      throw error;
    }
    if (!isWorking(engine)) {
      throw isExhausted(error) ? error : noPathError(error);
    }
  }
  if (expectsWrites && mode.isReadOnly) {
    throw readOnlyError();
  }
}

/** Reads the answer: one row with "on" or "off". */
class TransactionMode implements ResultSink {
  isReadOnly = false;

  write(event: ResultEvent): undefined {
    if (event.type === "rows") {
      this.isReadOnly = Buffer.from(event.bytes).toString("latin1").endsWith("on");
    }
  }
}

function readOnlyError(): MultiPoolerError {
  const message = "transactions are read-only: default_transaction_read_only is on";
  return new MultiPoolerError(PoolerErrorCode.ReadOnly, message, {
    diagnostic: errorDiagnostic("25006", message),
  });
}

function isWorking({ scheduler, clock }: HealthCheckEngine): boolean {
  const isAlive = clock.monotonic() - scheduler.aliveAt <= SIGN_OF_LIFE_MS;
  return scheduler.hasSessions && (isAlive || scheduler.isHeldIdle);
}

function isExhausted(error: unknown): boolean {
  return error instanceof MultiPoolerError && error.code === PoolerErrorCode.PoolExhausted;
}

function noPathError(cause: unknown): MultiPoolerError {
  const message = "no connection came free for the health check, and no statement was answered";
  return new MultiPoolerError(PoolerErrorCode.PoolExhausted, message, { cause });
}

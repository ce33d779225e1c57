import { PoolerErrorCode } from "@multipooler/query-service";
import { Taint } from "../classification/taint.ts";
import { untilAborted } from "../abort.ts";
import { MultiPoolerError, abortError } from "../error.ts";
import type { UnitScheduler } from "../pool/borrowing.ts";
import { preparationOf } from "../statements/backend-statement.ts";
import { Call } from "./call.ts";
import type { CallEngine } from "./call.ts";

/** The server counts as working if it has shown that within this time. */
const SIGN_OF_LIFE_MS = 3000;
/** No client has this origin, so the check waits for one unit of each client at most. */
const ORIGIN = "health check";
const NOBODY = { settings: new Map<string, string>() };

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

/**
 * Asks the database for an answer over the path that queries take, their queue included.
 *
 * | the check                          | healthy                                                    |
 * | ---------------------------------- | ---------------------------------------------------------- |
 * | got an answer                      | yes                                                        |
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
export async function checkHealth(engine: HealthCheckEngine, signal: AbortSignal): Promise<void> {
  if (signal.aborted) {
    throw abortError(signal);
  }
  const call = new Call({
    engine,
    origin: ORIGIN,
    taint: Taint.None,
    sink: { write: () => undefined },
    signal,
    statement: { type: "simple", sql: "select 1" },
    preparation: preparationOf(engine.registry, NOBODY, Taint.None),
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

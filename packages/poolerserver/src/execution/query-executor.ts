import { PoolerErrorCode, QueryMode } from "@multipooler/controller-api";
import type {
  CallOptions,
  QueryService,
  QueryTarget,
  ResultSink,
  StreamExecuteRequest,
} from "@multipooler/controller-api";
import type { Clock } from "@multipooler/timing";
import { BackendRun } from "./backend-run.ts";
import type { RunResult } from "./backend-run.ts";
import { MultiPoolerError, errorDiagnostic } from "./error.ts";
import type { Pool } from "./pool.ts";
import { findReadOnlyEscape } from "./read-only-guard.ts";
import type { ServingGate } from "./serving-gate.ts";
import { sessionResidue } from "./session-residue.ts";
import type { TerminateProcess } from "./termination.ts";

/** A query that was certainly not sent is tried on so many sessions. */
const MAX_ATTEMPTS = 3;

/** What one pooler serves: requests that name something else are refused. */
export interface ServedTarget {
  readonly database: string;
  readonly tableGroup: string;
  readonly shard: string;
  readonly user: string;
}

/** How a {@link QueryExecutor} is set up. */
export interface QueryExecutorOptions {
  readonly served: ServedTarget;
  readonly gate: ServingGate;
  readonly pool: Pool;
  readonly clock: Clock;
  readonly terminate: TerminateProcess;
}

/**
 * The query service of an open controller: admits a request, runs it on a session of the pool, and
 * ends when the session was given back.
 *
 * A query is repeated on another session only if PostgreSQL certainly saw nothing of it, because
 * the connection had ended before anything was written. Once it was sent its outcome is unknown,
 * and running a write twice would be worse than the error.
 */
export class QueryExecutor implements QueryService {
  readonly #options: QueryExecutorOptions;

  constructor(options: QueryExecutorOptions) {
    this.#options = options;
  }

  async streamExecute(
    request: StreamExecuteRequest,
    sink: ResultSink,
    { signal }: CallOptions = {},
  ): Promise<void> {
    const { served, gate } = this.#options;
    requireTarget(request.target, served);
    if (request.reservedConnectionId !== 0n) {
      throw reservationLostError(request.reservedConnectionId);
    }
    using admission = gate.admit(request.target?.mode ?? QueryMode.Unspecified, signal);
    requireUser(request.user, served);
    if (admission.isReadOnly) {
      requireReadOnly(request.sql);
    }
    await this.#execute(request.sql, sink, admission.signal);
  }

  /** Makes the database answer over the path that queries take, without admission. */
  async probe(signal: AbortSignal): Promise<void> {
    await this.#execute("select 1", { write: () => undefined }, signal);
  }

  async #execute(sql: string, sink: ResultSink, signal: AbortSignal): Promise<void> {
    const { pool, clock, terminate } = this.#options;
    const residue = sessionResidue(sql);
    for (let attempt = 1; ; attempt += 1) {
      const lease = await pool.acquire({ signal });
      const result: RunResult = await new BackendRun(lease, {
        sql,
        residue,
        sink,
        signal,
        clock,
        terminate,
      }).run();
      if (result.type === "done") {
        return;
      }
      if (result.type === "failed" || attempt === MAX_ATTEMPTS) {
        throw result.error;
      }
    }
  }
}

function requireTarget(target: QueryTarget | undefined, served: ServedTarget): void {
  if (target === undefined) {
    return;
  }
  for (const part of ["tableGroup", "shard", "database"] as const) {
    if (target[part] === "" || served[part] === "" || target[part] === served[part]) {
      continue;
    }
    throw new MultiPoolerError(
      PoolerErrorCode.WrongTarget,
      `the request is for ${part} "${target[part]}", this pooler serves "${served[part]}"`,
    );
  }
}

function requireUser(user: string, served: ServedTarget): void {
  if (user === "" || user === served.user) {
    return;
  }
  throw new MultiPoolerError(
    PoolerErrorCode.Unimplemented,
    `the request is to run as "${user}", but this pooler runs queries as "${served.user}" only`,
  );
}

function requireReadOnly(sql: string): void {
  const found = findReadOnlyEscape(sql);
  if (found === undefined) {
    return;
  }
  const message = `${found} is not allowed while the pooler serves read-only`;
  throw new MultiPoolerError(PoolerErrorCode.ReadOnly, message, {
    diagnostic: errorDiagnostic("25006", message),
  });
}

function reservationLostError(id: bigint): MultiPoolerError {
  return new MultiPoolerError(
    PoolerErrorCode.ReservationLost,
    `reserved connection ${id} is not known`,
    {
      diagnostic: errorDiagnostic("40001", "reserved connection terminated; please retry", {
        detail: `reserved connection ${id} was terminated`,
      }),
    },
  );
}

import { SimpleQuery } from "@multipooler/pgwire";
import { PoolerErrorCode } from "@multipooler/query-service";
import { onAbort } from "@multipooler/timing";
import { MultiPoolerError, abortError } from "../error.ts";
import type { Lease } from "../pool/lease.ts";
import type { Unit } from "../pool/unit.ts";
import { queryError } from "../postgres-error.ts";
import type { UnitScheduler } from "./unit-run.ts";

export interface BackendWish {
  readonly scheduler: UnitScheduler;
  readonly origin: string;
  readonly signal: AbortSignal | undefined;
}

/** Gets a backend for one client alone. Rejects as the scheduler refuses, or when the signal aborts. */
export async function leaseBackend({ scheduler, origin, signal }: BackendWish): Promise<Lease> {
  const { promise, resolve, reject } = Promise.withResolvers<Lease>();
  const unit: Unit = {
    origin,
    byteLength: 0,
    kind: "exclusive",
    granted: resolve,
    refused: reject,
  };
  scheduler.submit(unit);
  const stopListening = onAbort(signal, (aborted) => {
    if (scheduler.withdraw(unit)) {
      reject(abortError(aborted));
    }
  });
  try {
    return await promise;
  } finally {
    stopListening();
  }
}

/** Runs a query whose result nobody needs. Rejects with its error; the backend is to be ended then. */
export async function runOn({ backend }: Lease, sql: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const settle: SimpleQuery["settle"] = (end) => {
    if (end.type === "sinkFailed") {
      const problem = "an answer was not taken";
      reject(new MultiPoolerError(PoolerErrorCode.Internal, problem, { cause: end.cause }));
    } else if (end.error === undefined) {
      resolve();
    } else {
      reject(queryError(end.error));
    }
  };
  backend.send(new SimpleQuery({ sql, receiver: { event: () => undefined, settle } }));
  await promise;
}

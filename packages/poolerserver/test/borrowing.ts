import { SimpleQuery } from "@multipooler/pgwire";
import type { RequestEnd } from "@multipooler/pgwire";
import type { ResultSink } from "@multipooler/query-service";
import { abortError } from "../src/error.ts";
import type { MultiPoolerError } from "../src/error.ts";
import type { Backend } from "../src/pool/backend.ts";
import type { Label } from "../src/pool/label.ts";
import type { Lease } from "../src/pool/lease.ts";
import type { Scheduler } from "../src/pool/scheduler.ts";
import type { Unit, UnitKind } from "../src/pool/unit.ts";

/** How {@link acquire} asks. */
export interface AcquireOptions {
  readonly origin?: string;
  readonly byteLength?: number;
  readonly kind?: UnitKind;
  readonly label?: Label;
  readonly reserves?: boolean;
  readonly signal?: AbortSignal;
}

/** Waits for a backend as a promise, which the product's hot path does not. */
export function acquire(scheduler: Scheduler, options: AcquireOptions = {}): Promise<Lease> {
  const { origin = "", byteLength = 0, kind = "exclusive", signal, label, reserves } = options;
  const { promise, resolve, reject } = Promise.withResolvers<Lease>();
  const onAbort = (): void => {
    if (signal !== undefined && scheduler.withdraw(unit)) {
      reject(abortError(signal));
    }
  };
  const unit: Unit = {
    origin,
    byteLength,
    kind,
    label,
    reserves,
    granted: (lease) => {
      signal?.removeEventListener("abort", onAbort);
      resolve(lease);
    },
    refused: (error: MultiPoolerError) => {
      signal?.removeEventListener("abort", onAbort);
      reject(error);
    },
  };
  signal?.addEventListener("abort", onAbort, { once: true });
  scheduler.submit(unit);
  return promise;
}

/** Sends a query, of which nobody reads the answer unless a sink is given, and waits for its end. */
export function send(
  backend: Pick<Backend, "send">,
  sql: string,
  sink: ResultSink = { write: () => undefined },
): Promise<RequestEnd> {
  const { promise, resolve } = Promise.withResolvers<RequestEnd>();
  backend.send(
    new SimpleQuery({ sql, receiver: { event: (event) => sink.write(event), settle: resolve } }),
  );
  return promise;
}

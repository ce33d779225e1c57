import { onAbort } from "@multipooler/timing";
import { abortError } from "../error.ts";
import type { Label } from "./label.ts";
import type { Lease } from "./lease.ts";
import type { Unit } from "./unit.ts";

/** What grants backends; see `Scheduler`. */
export interface UnitScheduler {
  submit(unit: Unit): void;
  withdraw(unit: Unit): boolean;
}

export interface BackendWish {
  readonly scheduler: UnitScheduler;
  readonly origin: string;
  /** See {@link Unit}. */
  readonly label?: Label | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Gets a backend for one client alone. Rejects as the scheduler refuses, or when the signal aborts. */
export async function borrowBackend({
  scheduler,
  origin,
  label,
  signal,
}: BackendWish): Promise<Lease> {
  const { promise, resolve, reject } = Promise.withResolvers<Lease>();
  const unit: Unit = {
    origin,
    byteLength: 0,
    kind: "exclusive",
    label,
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

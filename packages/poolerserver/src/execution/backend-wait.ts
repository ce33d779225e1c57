import { onAbort } from "@multipooler/timing";
import { abortError } from "../error.ts";
import type { MultiPoolerError } from "../error.ts";
import type { UnitScheduler } from "../pool/borrowing.ts";
import type { Label } from "../pool/label.ts";
import type { Lease } from "../pool/lease.ts";
import type { Unit } from "../pool/unit.ts";

export interface BackendWaitOptions {
  readonly scheduler: UnitScheduler;
  readonly origin: string;
  readonly label: Label | undefined;
  /** What the request keeps in memory while it waits. */
  readonly byteLength: number;
  readonly signal: AbortSignal | undefined;
}

/** The wait of one reservation for its backend, from its construction on. */
export class BackendWait implements Unit {
  readonly kind = "exclusive";
  readonly origin: string;
  readonly label: Label | undefined;
  readonly byteLength: number;
  /** Rejects as the scheduler refuses, when the signal aborts, or with the reason of `cancel`. */
  readonly lease: Promise<Lease>;
  readonly #scheduler: UnitScheduler;
  readonly #granted = Promise.withResolvers<Lease>();
  readonly #stopListening: () => void;

  constructor({ scheduler, origin, label, byteLength, signal }: BackendWaitOptions) {
    this.origin = origin;
    this.label = label;
    this.byteLength = byteLength;
    this.#scheduler = scheduler;
    this.lease = this.#granted.promise;
    scheduler.submit(this);
    this.#stopListening = onAbort(signal, (aborted) => this.cancel(abortError(aborted)));
    void this.lease.then(this.#stopListening, this.#stopListening);
  }

  cancel(reason: MultiPoolerError): void {
    if (this.#scheduler.withdraw(this)) {
      this.#granted.reject(reason);
    }
  }

  granted(lease: Lease): void {
    this.#granted.resolve(lease);
  }

  refused(error: MultiPoolerError): void {
    this.#granted.reject(error);
  }
}

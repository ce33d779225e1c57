import { onAbort } from "@multipooler/timing";
import { abortError } from "../error.ts";
import type { MultiPoolerError } from "../error.ts";
import type { Label } from "./label.ts";
import type { Lease } from "./lease.ts";
import type { Unit } from "./unit.ts";

/** What grants backends; see `Scheduler`. */
export interface UnitScheduler {
  submit(unit: Unit): void;
  withdraw(unit: Unit): boolean;
}

/** What {@link borrowBackend} waits for; see {@link Unit}. */
export interface BackendWish {
  readonly scheduler: UnitScheduler;
  readonly origin: string;
  readonly label?: Label | undefined;
  /** See `Unit`. */
  readonly virtualPid?: number | undefined;
  /** Default: 0. */
  readonly byteLength?: number | undefined;
  /** Default: false. */
  readonly reserves?: boolean | undefined;
  readonly signal: AbortSignal | undefined;
}

/** The wait for a backend for one client alone, from its construction on. */
export class BackendWait implements Unit {
  readonly kind = "exclusive";
  readonly origin: string;
  readonly label: Label | undefined;
  readonly byteLength: number;
  readonly reserves: boolean;
  readonly virtualPid: number | undefined;
  /** Rejects as the scheduler refuses, when the signal aborts, or with the reason of `cancel`. */
  readonly lease: Promise<Lease>;
  readonly #scheduler: UnitScheduler;
  readonly #granted = Promise.withResolvers<Lease>();
  readonly #stopListening: () => void;

  constructor(wish: BackendWish) {
    const { scheduler, origin, label, virtualPid, byteLength = 0, reserves = false, signal } = wish;
    this.origin = origin;
    this.label = label;
    this.virtualPid = virtualPid;
    this.byteLength = byteLength;
    this.reserves = reserves;
    this.#scheduler = scheduler;
    this.lease = this.#granted.promise;
    scheduler.submit(this);
    this.#stopListening = onAbort(signal, (aborted) => this.cancel(abortError(aborted)));
    void this.lease.then(this.#stopListening, this.#stopListening);
  }

  /** Ends the wait. Does nothing when it is over. */
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

/** Gets a backend for one client alone. Rejects as the scheduler refuses, or when the signal aborts. */
export function borrowBackend(wish: BackendWish): Promise<Lease> {
  return new BackendWait(wish).lease;
}

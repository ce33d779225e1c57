import type { MultiPoolerError } from "../error.ts";
import type { Label } from "../pool/label.ts";
import type { Lease } from "../pool/lease.ts";
import type { Unit } from "../pool/unit.ts";
import type { Waiting } from "../pool/waiting.ts";
import type { SessionScheduler } from "../session/session-engine.ts";
import { TrackedLease } from "./tracked-lease.ts";
import type { VirtualPidTable } from "./virtual-pid-table.ts";

/**
 * Grants backends as another scheduler does, but has the table say first which client a backend is to
 * serve. Units of clients that it tracks share no backend: a row names one client.
 */
export class TrackingScheduler implements SessionScheduler {
  readonly #scheduler: SessionScheduler;
  readonly #table: VirtualPidTable;
  /** Those that have no backend yet. */
  readonly #tracked = new Map<Unit, TrackedUnit>();

  constructor(scheduler: SessionScheduler, table: VirtualPidTable) {
    this.#scheduler = scheduler;
    this.#table = table;
  }

  get parameters(): ReadonlyMap<string, string> | undefined {
    return this.#scheduler.parameters;
  }

  parametersFor(label: Label | undefined): ReadonlyMap<string, string> | undefined {
    return this.#scheduler.parametersFor(label);
  }

  submit(unit: Unit): void {
    const { virtualPid } = unit;
    if (virtualPid === undefined || !this.#table.isKept) {
      this.#scheduler.submit(unit);
      return;
    }
    const tracked = new TrackedUnit({
      unit,
      virtualPid,
      table: this.#table,
      onSettled: () => this.#tracked.delete(unit),
    });
    this.#tracked.set(unit, tracked);
    this.#scheduler.submit(tracked);
  }

  withdraw(unit: Unit): boolean {
    const tracked = this.#tracked.get(unit);
    if (tracked === undefined) {
      return this.#scheduler.withdraw(unit);
    }
    this.#tracked.delete(unit);
    tracked.withdraw();
    this.#scheduler.withdraw(tracked);
    return true;
  }
}

interface TrackedUnitOptions {
  readonly unit: Unit;
  readonly virtualPid: number;
  readonly table: VirtualPidTable;
  /** The unit is about to be granted a backend or refused. */
  readonly onSettled: () => void;
}

/** Waits in the place of a unit, until its backend is in the table. */
class TrackedUnit implements Unit {
  readonly kind = "exclusive";
  readonly origin: string;
  readonly byteLength: number;
  readonly label: Label | undefined;
  readonly reserves: boolean | undefined;
  waiting: Waiting<Unit> | undefined;
  readonly #options: TrackedUnitOptions;
  #isWithdrawn = false;

  constructor(options: TrackedUnitOptions) {
    const { origin, byteLength, label, reserves } = options.unit;
    this.origin = origin;
    this.byteLength = byteLength;
    this.label = label;
    this.reserves = reserves;
    this.#options = options;
  }

  /** What it is granted later goes back. */
  withdraw(): void {
    this.#isWithdrawn = true;
  }

  granted(lease: Lease): void {
    void this.#assign(lease);
  }

  refused(error: MultiPoolerError): void {
    this.#options.onSettled();
    this.#options.unit.refused(error);
  }

  async #assign(lease: Lease): Promise<void> {
    const { unit, virtualPid, table, onSettled } = this.#options;
    const assignment = { processId: lease.backend.processId, virtualPid };
    const isAssigned = await table.assign(assignment);
    const tracked = isAssigned ? new TrackedLease(lease, table, assignment) : lease;
    if (this.#isWithdrawn) {
      await tracked.release();
      return;
    }
    onSettled();
    unit.granted(tracked);
  }
}

import type { TaintSet } from "../classification/taint.ts";
import { internalError } from "../postgres-error.ts";
import type { Backend } from "../pool/backend.ts";
import type { LabelSettings } from "../pool/label-settings.ts";
import type { BackendWatcher, Lease } from "../pool/lease.ts";
import type { HeldStatements } from "../statements/held-statements.ts";
import type { Assignment, VirtualPidTable } from "./virtual-pid-table.ts";

const NOBODY: BackendWatcher = { onEnded: () => undefined, onUnasked: () => undefined };

/**
 * A backend that the table says serves a client. Nobody else gets it before that row is gone; where that
 * cannot be made sure of it is closed, so that the row is of no process.
 */
export class TrackedLease implements Lease {
  readonly #lease: Lease;
  readonly #table: VirtualPidTable;
  readonly #assignment: Assignment;
  #isHeld = true;

  constructor(lease: Lease, table: VirtualPidTable, assignment: Assignment) {
    this.#lease = lease;
    this.#table = table;
    this.#assignment = assignment;
  }

  get backend(): Backend {
    return this.#lease.backend;
  }

  get statements(): HeldStatements {
    return this.#lease.statements;
  }

  get settings(): LabelSettings {
    return this.#lease.settings;
  }

  watch(watcher: BackendWatcher): void {
    if (this.#isHeld) {
      this.#lease.watch(watcher);
    }
  }

  taint(taint: TaintSet): void {
    this.#lease.taint(taint);
  }

  noteSettings(settings: LabelSettings): void {
    this.#lease.noteSettings(settings);
  }

  want(settings: LabelSettings): void {
    this.#lease.want(settings);
  }

  release(): Promise<void> | undefined {
    if (!this.#isHeld) {
      return undefined;
    }
    this.#isHeld = false;
    this.#lease.watch(NOBODY);
    return this.#release();
  }

  discard(reason: unknown): void {
    if (this.#isHeld) {
      this.#isHeld = false;
      this.#lease.discard(reason);
      void this.#table.release(this.#assignment);
    }
  }

  async #release(): Promise<void> {
    if (await this.#table.release(this.#assignment)) {
      await this.#lease.release();
    } else {
      const problem = "the table of process ids may say that the connection serves a client";
      this.#lease.discard(internalError(problem, undefined));
    }
  }
}

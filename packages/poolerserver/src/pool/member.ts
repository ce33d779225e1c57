import type { ConnectionSlot } from "@multipooler/controller-api";
import { Taint } from "../classification/taint.ts";
import type { TaintSet } from "../classification/taint.ts";
import { HeldStatements } from "../statements/held-statements.ts";
import type { Backend, BackendAccess, BackendEnd } from "./backend.ts";
import type { BackendWatcher } from "./lease.ts";

const READ_ONLY_DEFAULT = "default_transaction_read_only";

/**
 * The use of a session of the pool.
 *
 * | use       | meaning                                                | next                            |
 * | --------- | ------------------------------------------------------ | ------------------------------- |
 * | idle      | nobody has it                                          | lent, shared, verifying, leaving |
 * | lent      | one holder has it to itself                            | idle, cleaning, leaving         |
 * | shared    | holders have requests in its FIFO                      | idle, cleaning, leaving         |
 * | cleaning  | it is brought back to how it started                   | idle, leaving                   |
 * | verifying | it is asked for an answer before somebody gets it      | idle, leaving                   |
 * | leaving   | it is being ended; counts until its socket is closed   | ended                           |
 * | ended     | its socket is closed                                   |                                 |
 */
export type MemberUse = "idle" | "lent" | "shared" | "cleaning" | "verifying" | "leaving" | "ended";

/** One session of a pool, and what the pool knows about it. */
export class Member {
  readonly backend: Backend;
  readonly slot: ConnectionSlot;
  readonly access: BackendAccess;
  readonly expiresAt: number;
  readonly statements: HeldStatements = new HeldStatements();
  readonly #readOnlyDefault: string | undefined;
  #watcher: BackendWatcher | undefined;
  use: MemberUse = "idle";
  /** What its holders have left in it. */
  taint: TaintSet = Taint.None;
  idleSince = 0;
  /** While it is shared: requests in its FIFO, since when the first of them runs, and whether more may come. */
  units = 0;
  runningSince = 0;
  takesMore = true;

  constructor(options: {
    readonly backend: Backend;
    readonly slot: ConnectionSlot;
    readonly access: BackendAccess;
    readonly expiresAt: number;
  }) {
    this.backend = options.backend;
    this.slot = options.slot;
    this.access = options.access;
    this.expiresAt = options.expiresAt;
    this.#readOnlyDefault = options.backend.parameters.get(READ_ONLY_DEFAULT);
  }

  /** Whether the session is as it was at its start, as far as the protocol shows. */
  get isAsItWas(): boolean {
    const { backend } = this;
    return (
      backend.idle &&
      backend.transactionStatus === "I" &&
      backend.parameters.get(READ_ONLY_DEFAULT) === this.#readOnlyDefault
    );
  }

  /** Its holder wants to be told what happens, or not any more. */
  watch(watcher: BackendWatcher | undefined): void {
    if (this.#watcher !== watcher) {
      this.#watcher = watcher;
      this.backend.onUnasked = watcher?.onUnasked;
    }
  }

  /** Something was left in it. */
  addTaint(taint: TaintSet): void {
    this.taint |= taint;
    if ((taint & Taint.State) !== 0) {
      this.statements.doubt();
    }
  }

  /** What was left in it has been taken away; see `cleanSession`. */
  cleaned(): void {
    if ((this.taint & Taint.State) !== 0) {
      this.statements.clear();
    }
    this.taint = Taint.None;
  }

  /** Its socket is closed. */
  end(end: BackendEnd): void {
    this.use = "ended";
    this.#watcher?.onEnded(end);
  }
}

/** The sessions that somebody uses. */
export function* busySessions(members: Iterable<Member>): Iterable<Backend> {
  for (const { backend, use } of members) {
    if (use !== "idle") {
      yield backend;
    }
  }
}

/** Whether somebody has the session to itself, and asks nothing of it now. */
export function isHeldIdle({ use, backend }: Member): boolean {
  return use === "lent" && backend.idle;
}

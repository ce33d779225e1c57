import type { ConnectionSlot } from "@multipooler/controller-api";
import { Taint, WITH_STATEMENTS } from "../classification/taint.ts";
import type { TaintSet } from "../classification/taint.ts";
import type { SessionIsolation } from "../session-isolation.ts";
import { HeldStatements } from "../statements/held-statements.ts";
import type { Backend, BackendAccess, BackendEnd } from "./backend.ts";
import { BusyRun } from "./busy-run.ts";
import { labelDifference } from "./label-difference.ts";
import type { LabelledSession } from "./label-difference.ts";
import { NO_SETTINGS } from "./label-settings.ts";
import type { LabelSettings } from "./label-settings.ts";
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
export class Member implements LabelledSession {
  readonly backend: Backend;
  readonly slot: ConnectionSlot;
  readonly access: BackendAccess;
  /** Milliseconds since the epoch. */
  readonly openedAt: number;
  readonly expiresAt: number;
  /** Which defaults it was opened with; see `Pool.renew`. */
  readonly generation: number;
  readonly initialParameters: ReadonlyMap<string, string>;
  readonly statements: HeldStatements;
  /** The kinds of taint that are taken away, or cost the session, before somebody else has it. */
  readonly #minded: TaintSet;
  /** As of its start, or of the last time that it was cleaned. */
  #ownParameters: ReadonlyMap<string, string>;
  #watcher: BackendWatcher | undefined;
  use: MemberUse = "idle";
  /** What its holders have left in it. */
  taint: TaintSet = Taint.None;
  hadState = false;
  /** How often it had the settings already that its holder wanted. */
  matches = 0;
  #settings: LabelSettings = NO_SETTINGS;
  /** They were sent, or are to be, ahead of a holder's first request. */
  #awaitsSettings = false;
  idleSince = 0;
  /** While it is shared: requests in its FIFO, what it does with them, and whether more may come. */
  units = 0;
  readonly run: BusyRun = new BusyRun();
  takesMore = true;

  constructor(options: {
    readonly backend: Backend;
    readonly slot: ConnectionSlot;
    readonly access: BackendAccess;
    readonly openedAt: number;
    readonly expiresAt: number;
    readonly generation: number;
    readonly sessionIsolation?: SessionIsolation | undefined;
    readonly maxStatements?: number | undefined;
  }) {
    this.backend = options.backend;
    this.slot = options.slot;
    this.access = options.access;
    this.openedAt = options.openedAt;
    this.expiresAt = options.expiresAt;
    this.generation = options.generation;
    this.statements = new HeldStatements({ maxStatements: options.maxStatements });
    this.#minded = mindedTaint(options.sessionIsolation ?? "strict");
    this.#ownParameters = new Map(options.backend.parameters);
    this.initialParameters = new Map(
      [...options.backend.parameters].map(([name, value]) => [name.toLowerCase(), value]),
    );
  }

  /** What the server has confirmed of its label. */
  get settings(): LabelSettings {
    return this.#settings;
  }

  /** Whether it is not known yet that it has the settings of its holder. */
  get awaitsSettings(): boolean {
    return this.#awaitsSettings;
  }

  /**
   * Puts what brings it to `settings` before the next request. `onDone` is called when it has them;
   * if that fails it keeps those that it has, and the request fails.
   */
  relabel(settings: LabelSettings, onDone: () => void): void {
    const difference = labelDifference(this, settings, () => {
      this.#awaitsSettings = false;
      this.#become(settings);
      onDone();
    });
    if (difference === undefined) {
      this.#become(settings);
    } else {
      this.#awaitsSettings = true;
      this.backend.precede(difference);
    }
  }

  /** Its holder has brought it to these settings by statements of its own. */
  noteSettings(settings: LabelSettings): void {
    this.#become(settings);
  }

  #become(settings: LabelSettings): void {
    if (settings !== this.#settings) {
      this.#settings = settings;
      this.matches = 0;
    }
  }

  /** Its holder has given it back. */
  stopRelabelling(): void {
    if (this.#awaitsSettings) {
      this.#awaitsSettings = false;
      this.backend.precede(undefined);
    }
  }

  /** Whether the session is as it was at its start but for its label, as far as the protocol shows. */
  get isAsItWas(): boolean {
    const { backend } = this;
    return backend.idle && backend.transactionStatus === "I" && this.#hasItsReadOnlyDefault();
  }

  /** What it reports; while a holder may have changed that, what it has reported without. */
  get ownParameters(): ReadonlyMap<string, string> {
    return this.isUnchanged ? new Map(this.backend.parameters) : this.#ownParameters;
  }

  /** Whether what it reports is nobody's own. */
  get isUnchanged(): boolean {
    const isOpenToAll = this.use === "idle" || this.use === "shared";
    return isOpenToAll && this.taint === Taint.None && this.settings === NO_SETTINGS;
  }

  #hasItsReadOnlyDefault(): boolean {
    const isInitial =
      this.backend.parameters.get(READ_ONLY_DEFAULT) ===
      this.initialParameters.get(READ_ONLY_DEFAULT);
    return (
      isInitial || (this.access !== "read-only" && this.settings.values.has(READ_ONLY_DEFAULT))
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
    this.taint |= taint & this.#minded;
    if ((taint & WITH_STATEMENTS) !== 0) {
      this.statements.doubt();
    }
  }

  /** What was left in it has been taken away; see `cleanSession`. */
  cleaned(): void {
    if ((this.taint & WITH_STATEMENTS) !== 0) {
      this.statements.clear();
      this.hadState = true;
    }
    if ((this.taint & (Taint.State | Taint.Settings)) !== 0) {
      this.#become(NO_SETTINGS);
    }
    this.taint = Taint.None;
    if (this.settings === NO_SETTINGS) {
      this.#ownParameters = new Map(this.backend.parameters);
    }
  }

  /** Its socket is closed. */
  end(end: BackendEnd): void {
    this.use = "ended";
    this.#watcher?.onEnded(end);
  }
}

function mindedTaint(isolation: SessionIsolation): TaintSet {
  switch (isolation) {
    case "strict":
      return Taint.Unknown | Taint.Lasting;
    case "statements-only":
      return Taint.Lasting;
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

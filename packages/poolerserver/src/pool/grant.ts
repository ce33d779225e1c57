import type { TaintSet } from "../classification/taint.ts";
import type { HeldStatements } from "../statements/held-statements.ts";
import type { Backend } from "./backend.ts";
import type { LabelSettings } from "./label-settings.ts";
import type { BackendWatcher, Lease } from "./lease.ts";
import type { Member } from "./member.ts";

/** Who takes a session back. */
export interface GrantKeeper {
  giveBack(member: Member): Promise<void> | undefined;
  discard(member: Member, reason: unknown): void;
}

/** One session in the hands of one unit. */
export class Grant implements Lease {
  readonly #member: Member;
  readonly #keeper: GrantKeeper;
  #isHeld = true;

  constructor(member: Member, keeper: GrantKeeper) {
    this.#member = member;
    this.#keeper = keeper;
  }

  get backend(): Backend {
    return this.#member.backend;
  }

  get statements(): HeldStatements {
    return this.#member.statements;
  }

  watch(watcher: BackendWatcher): void {
    if (this.#isHeld) {
      this.#member.watch(watcher);
    }
  }

  taint(taint: TaintSet): void {
    this.#member.addTaint(taint);
  }

  get settings(): LabelSettings {
    return this.#member.settings;
  }

  noteSettings(settings: LabelSettings): void {
    this.#member.noteSettings(settings);
  }

  want(settings: LabelSettings): void {
    this.#member.relabel(settings, () => undefined);
  }

  release(): Promise<void> | undefined {
    if (!this.#isHeld) {
      return undefined;
    }
    this.#isHeld = false;
    this.#member.watch(undefined);
    return this.#keeper.giveBack(this.#member);
  }

  discard(reason: unknown): void {
    if (this.#isHeld) {
      this.#isHeld = false;
      this.#member.watch(undefined);
      this.#keeper.discard(this.#member, reason);
    }
  }
}

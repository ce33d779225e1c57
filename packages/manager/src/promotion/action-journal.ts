import path from "node:path";
import type { ActionLease } from "../actions/action-lock.ts";
import type { DemotionStatus } from "../manager-status.ts";
import { JsonFile } from "../record/json-file.ts";
import type { Lsn, SynchronousReplication } from "../replication/replication-control.ts";
import { isJournalContent } from "./journal-content.ts";

/** The actions that change the role of the server. */
export type RoleAction = "Promote" | "Demote" | "UndoDemote";

/** The action that last changed the role of the server, or is about to. */
export interface JournalEntry {
  readonly action: RoleAction;
  /** False from before the first change to after the last one. */
  readonly isDone: boolean;
  readonly startedAt: Date;
  /** The term in which it was done; 0 where there was none. Asked for again, it is one of the newer term. */
  readonly term: bigint;
  /** Of a demotion: how far the server had come when it was a standby. */
  readonly lsn?: Lsn | undefined;
  /** Of a demotion: the sessions of clients that were ended. */
  readonly terminated?: number | undefined;
  /** Of a demotion: for whom the primary waited before, for its undoing. */
  readonly synchronous?: SynchronousReplication | undefined;
}

export interface ActionJournalOptions {
  /** The pooler's directory; without one a restart forgets what was begun. */
  readonly poolerDir?: string | undefined;
  /** Called, synchronously, after each change. */
  readonly onChange: () => void;
}

/**
 * Remembers over restarts which change of role was begun and not ended. The pooler serves nothing then
 * until the action is repeated or undone: what PostgreSQL and the topology say is between two roles.
 */
export class ActionJournal {
  readonly #file: JsonFile | undefined;
  readonly #onChange: () => void;
  #entry: JournalEntry | undefined;

  constructor({ poolerDir, onChange }: ActionJournalOptions) {
    this.#onChange = onChange;
    this.#file =
      poolerDir === undefined
        ? undefined
        : new JsonFile({
            path: path.join(poolerDir, "role_action.json"),
            what: "the change of role that was begun",
          });
  }

  get entry(): JournalEntry | undefined {
    return this.#entry;
  }

  /** The demotion that was done, begun, or is being undone. */
  get demotion(): DemotionStatus | undefined {
    const entry = this.#entry;
    return entry === undefined || entry.action === "Promote"
      ? undefined
      : { term: entry.term, lsn: entry.lsn };
  }

  /** Why the pooler serves nothing; `undefined` where no action is left undone. */
  get pending(): string | undefined {
    const entry = this.#entry;
    return entry === undefined || entry.isDone
      ? undefined
      : `${entry.action} of ${entry.startedAt.toISOString()} is not complete; repeat it if it does not run`;
  }

  /** Whether a change to a primary was begun and is not complete. */
  get isPromoting(): boolean {
    const entry = this.#entry;
    return entry !== undefined && !entry.isDone && entry.action !== "Demote";
  }

  /** Reads what an earlier run left. Rejects with RECORD_FILE_INVALID, naming the file. */
  async load(): Promise<void> {
    const content = await this.#file?.read();
    if (this.#file === undefined || content === undefined) {
      return;
    }
    if (!isJournalContent(content)) {
      throw this.#file.invalid("does not hold an action");
    }
    if (content.action === undefined) {
      return;
    }
    const { action, isDone, startedAt, term, ...details } = content;
    const entry = { action, isDone, startedAt: new Date(startedAt), term: BigInt(term) };
    this.#become({ ...entry, ...details });
  }

  /**
   * Resolves when the entry is on disk. One that is not done holds from the call on, so that nothing more
   * is served; where it cannot be written, the one before holds again.
   */
  async write(lease: ActionLease, entry: JournalEntry): Promise<void> {
    lease.requireHeld();
    const before = this.#entry;
    if (!entry.isDone) {
      this.#become(entry);
    }
    try {
      await this.#file?.write({ ...entry, term: String(entry.term) });
    } catch (error) {
      this.#become(before);
      throw error;
    }
    this.#become(entry);
  }

  /** Forgets the entry: nothing can be undone any more. */
  async clear(lease: ActionLease): Promise<void> {
    await this.restore(lease, undefined);
  }

  /** Goes back to the entry before: nothing was changed since. */
  async restore(lease: ActionLease, entry: JournalEntry | undefined): Promise<void> {
    if (entry !== undefined) {
      await this.write(lease, entry);
      return;
    }
    lease.requireHeld();
    await this.#file?.write({});
    this.#become(undefined);
  }

  #become(entry: JournalEntry | undefined): void {
    this.#entry = entry;
    this.#onChange();
  }
}

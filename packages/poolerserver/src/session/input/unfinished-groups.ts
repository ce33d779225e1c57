import type { Clock, Timer } from "@multipooler/timing";

/** So long the rest of a group is waited for at least, and twice as long at most. */
const WAIT_MS = 20;

/** Has a part of a group. */
export interface GroupOwner {
  /** Runs that part. Must not throw. */
  runGroup(): void;
}

/**
 * Those who have a part of a group of messages whose Sync has not come. Mostly it is in the next
 * packet, and a whole group can share a backend. Where it is not, the client waits for what PostgreSQL
 * says before: for an error, which it sends at once.
 */
export class UnfinishedGroups {
  readonly #clock: Clock;
  /** Since the last tick, and since before that. */
  #recent = new Set<GroupOwner>();
  #waiting = new Set<GroupOwner>();
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** More of a group is to come. */
  note(owner: GroupOwner): void {
    if (!this.#waiting.has(owner)) {
      this.#recent.add(owner);
      this.#timer ??= this.#clock.setTimer(() => this.#tick(), WAIT_MS);
    }
  }

  /** It has come, or nothing more comes. */
  forget(owner: GroupOwner): void {
    if (this.#timer === undefined) {
      return;
    }
    this.#recent.delete(owner);
    this.#waiting.delete(owner);
    if (this.#isEmpty) {
      this.#timer.cancel();
      this.#timer = undefined;
    }
  }

  get #isEmpty(): boolean {
    return this.#recent.size + this.#waiting.size === 0;
  }

  /** What came while the event loop was busy is read between two of them. */
  #tick(): void {
    const due = this.#waiting;
    this.#waiting = this.#recent;
    this.#recent = new Set();
    this.#timer = this.#isEmpty ? undefined : this.#clock.setTimer(() => this.#tick(), WAIT_MS);
    for (const owner of due) {
      owner.runGroup();
    }
  }
}

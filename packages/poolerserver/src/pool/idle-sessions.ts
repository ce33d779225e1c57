import type { Clock } from "@multipooler/timing";
import { DisuseWatch } from "./disuse-watch.ts";
import { IdleStack } from "./idle-stack.ts";
import { canBecome } from "./label-difference.ts";
import { NO_SETTINGS } from "./label-settings.ts";
import type { LabelSettings } from "./label-settings.ts";
import type { Member } from "./member.ts";

/** A session that was idle for so long has to answer before it is used. */
const VERIFY_AFTER_MS = 5000;

export interface IdleSessionsOptions {
  readonly clock: Clock;
  /** A session that was idle for so long is ended; 0 keeps it. */
  readonly idleTimeoutMs: () => number;
  /** When none was used for so long, all are ended; 0, the default, keeps them. */
  readonly inactiveTimeoutMs?: number | undefined;
  /** The sessions of the pool, without those that are being ended. */
  readonly staying: () => number;
  readonly isUsable: (member: Member, now: number) => boolean;
  /** It has left the idle ones, and is to be ended. */
  readonly end: (member: Member) => void;
}

/** The sessions of a pool that nobody uses, and which of them is the best for a unit. */
export class IdleSessions {
  readonly #options: IdleSessionsOptions;
  readonly #stack: IdleStack<Member>;
  readonly #disuse: DisuseWatch;

  constructor(options: IdleSessionsOptions) {
    const { clock, inactiveTimeoutMs = 0, staying, end } = options;
    this.#options = options;
    this.#stack = new IdleStack({
      clock,
      get limitMs() {
        return options.idleTimeoutMs();
      },
      onExpired: end,
    });
    this.#disuse = new DisuseWatch({
      clock,
      limitMs: inactiveTimeoutMs,
      unusedSince: () => (staying() === this.size ? this.#stack.top?.idleSince : undefined),
      onDisused: () => this.endAll(),
    });
  }

  get size(): number {
    return this.#stack.size;
  }

  /** The time limit of the options has changed, for those too that are here. */
  limitChanged(): void {
    this.#stack.limitChanged();
  }

  push(member: Member, now: number): void {
    this.#stack.push(member, now);
    this.#disuse.noteUnused();
  }

  remove(member: Member): void {
    this.#stack.remove(member);
  }

  /** Takes out all of them. */
  clear(): Member[] {
    return this.#stack.clear();
  }

  endAll(): void {
    for (const member of this.#stack.clear()) {
      this.#options.end(member);
    }
  }

  /** Ends all of them; none comes any more. */
  close(): void {
    this.#disuse.close();
    this.endAll();
  }

  /** Ends those that were used least recently, for as long as there are too many. */
  endWhile(areTooMany: () => boolean): void {
    while (this.#stack.oldest !== undefined && areTooMany()) {
      this.#endOldest();
    }
  }

  /** Takes the one that was used last, whether or not it would still answer. */
  takeTop(now: number): Member | undefined {
    return this.#usableTop(now) === undefined ? undefined : this.#stack.pop();
  }

  /**
   * Takes one that need not answer first: the one that was used last of those that have these
   * settings, else one that can get them: one as it was opened, or the one that was used least
   * recently. Where there are some, but none can get them, the oldest is ended to make room.
   */
  take(settings: LabelSettings, now: number): Member | undefined {
    const top = this.#usableTop(now);
    if (top === undefined || isStale(top, now)) {
      return undefined;
    }
    const member =
      top.settings === settings && canBecome(top, settings) ? top : this.#best(settings, now);
    if (member === undefined) {
      this.#endOldest();
    } else {
      this.#stack.remove(member);
    }
    return member;
  }

  #endOldest(): void {
    const { oldest } = this.#stack;
    if (oldest !== undefined) {
      this.#stack.remove(oldest);
      this.#options.end(oldest);
    }
  }

  #best(settings: LabelSettings, now: number): Member | undefined {
    let best: Member | undefined;
    for (const member of this.#stack) {
      if (isStale(member, now)) {
        break;
      }
      if (!this.#options.isUsable(member, now) || !canBecome(member, settings)) {
        continue;
      }
      if (member.settings === settings) {
        return member;
      }
      if (best?.settings !== NO_SETTINGS) {
        best = member;
      }
    }
    return best;
  }

  /** Ends unusable ones until the top is usable, and leaves that there. */
  #usableTop(now: number): Member | undefined {
    for (;;) {
      const member = this.#stack.top;
      if (member === undefined || this.#options.isUsable(member, now)) {
        return member;
      }
      this.#stack.pop();
      this.#options.end(member);
    }
  }
}

function isStale({ idleSince }: Member, now: number): boolean {
  return now - idleSince >= VERIFY_AFTER_MS;
}

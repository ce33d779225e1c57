import type { Clock } from "@multipooler/timing";
import { Taint } from "../classification/taint.ts";
import type { LabelSettings } from "./label-settings.ts";
import type { Member } from "./member.ts";
import { Sharing } from "./sharing.ts";

export interface SharedSessionsOptions {
  readonly clock: Clock;
  /** Units that one session may have in flight at most. */
  readonly sharingDepth: number;
  /** Whether a session may get more units, as far as its age and its defaults tell. */
  readonly isRecent: (member: Member, now: number) => boolean;
}

/** The sessions of a pool that have units of several holders in their FIFO. */
export class SharedSessions {
  readonly #options: SharedSessionsOptions;
  readonly #sharing: Sharing;
  readonly #members = new Set<Member>();

  constructor(options: SharedSessionsOptions) {
    this.#options = options;
    this.#sharing = new Sharing(options.sharingDepth);
  }

  get size(): number {
    return this.#members.size;
  }

  /** The one with the fewest units, of those that have these settings and room for one more. */
  least(settings: LabelSettings): Member | undefined {
    if (this.#members.size === 0) {
      return undefined;
    }
    const now = this.#options.clock.monotonic();
    let least: Member | undefined;
    for (const member of this.#members) {
      const hasRoom =
        member.use === "shared" &&
        member.takesMore &&
        this.#options.isRecent(member, now) &&
        member.settings === settings &&
        !member.awaitsSettings &&
        member.units < this.#sharing.depth &&
        this.#sharing.isShortSoFar(member.run.unitSince, now);
      if (hasRoom && (least === undefined || member.units < least.units)) {
        least = member;
      }
    }
    return least;
  }

  /** Whether one that is shared already is to be had before an idle one: it has little to do. */
  isPreferred(least: Member): boolean {
    return least.units < this.#sharing.spreadDepth || this.size >= this.#sharing.useful;
  }

  /** A unit enters the FIFO of a session. */
  enter(member: Member, { takesMore }: { readonly takesMore: boolean }): void {
    if (member.use !== "shared") {
      member.use = "shared";
      member.run.begin(this.#options.clock.monotonic());
      this.#members.add(member);
    }
    member.units += 1;
    member.takesMore = takesMore;
  }

  /** A unit in the FIFO of a session has ended. Returns whether it was the last of them. */
  leave(member: Member): boolean {
    const now = this.#options.clock.monotonic();
    member.units -= 1;
    if (member.takesMore) {
      member.run.unitEnded(now, member.units === 0, this.#sharing);
    } else {
      // It may have waited for a lock.
      member.run.begin(now);
    }
    if (member.taint !== Taint.None) {
      member.takesMore = false;
    }
    if (member.units > 0) {
      return false;
    }
    this.#members.delete(member);
    return true;
  }
}

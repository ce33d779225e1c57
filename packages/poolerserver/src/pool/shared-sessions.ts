import { performance } from "node:perf_hooks";
import { turnWorkMs } from "@multipooler/pgwire";
import type { Clock } from "@multipooler/timing";
import { Taint } from "../classification/taint.ts";
import type { LabelSettings } from "./label-settings.ts";
import type { Member } from "./member.ts";
import type { PoolerTime } from "./server-time.ts";
import { Sharing } from "./sharing.ts";

/** That of this process. */
const OWN_TIME: PoolerTime = {
  waitedMs: () => performance.nodeTiming.idleTime,
  workMs: turnWorkMs,
};

export interface SharedSessionsOptions {
  readonly clock: Clock;
  /** See `SchedulerOptions`. */
  readonly poolerTime?: PoolerTime | undefined;
  /** Units that one session may have in flight at most. */
  readonly sharingDepth: number;
  /** Whether a session may get more units, as far as its age and its defaults tell. */
  readonly isRecent: (member: Member, now: number) => boolean;
}

/** The sessions of a pool that have units of several holders in their FIFO. */
export class SharedSessions {
  readonly #options: SharedSessionsOptions;
  readonly #sharing: Sharing;
  readonly #time: PoolerTime;
  readonly #members: Member[] = [];

  constructor(options: SharedSessionsOptions) {
    this.#options = options;
    this.#sharing = new Sharing(options.sharingDepth);
    this.#time = options.poolerTime ?? OWN_TIME;
  }

  get size(): number {
    return this.#members.length;
  }

  /** The one with the fewest units, of those that have these settings and room for one more. */
  least(settings: LabelSettings): Member | undefined {
    const least = this.#leastOf(settings, undefined);
    if (least === undefined) {
      return undefined;
    }
    const now = this.#options.clock.monotonic();
    return this.#isInTime(least, now) ? least : this.#leastOf(settings, now);
  }

  /** Whether one that is shared already is to be had before an idle one: it has little to do. */
  isPreferred(least: Member): boolean {
    return least.units < this.#sharing.spreadDepth || this.size >= this.#sharing.useful;
  }

  /** A unit enters the FIFO of a session. */
  enter(member: Member, { takesMore }: { readonly takesMore: boolean }): void {
    if (member.use !== "shared") {
      member.use = "shared";
      member.run.begin(this.#options.clock.monotonic(), this.#time);
      this.#members.push(member);
    }
    member.units += 1;
    member.takesMore = takesMore;
  }

  /** A unit in the FIFO of a session has ended. Returns whether it was the last of them. */
  leave(member: Member, now: number): boolean {
    member.units -= 1;
    if (member.takesMore) {
      member.run.unitEnded(now, this.#time, member.units === 0, this.#sharing);
    } else {
      // It may have waited for a lock.
      member.run.begin(now, this.#time);
    }
    if (member.taint !== Taint.None) {
      member.takesMore = false;
    }
    if (member.units > 0) {
      return false;
    }
    this.#members.splice(this.#members.indexOf(member), 1);
    return true;
  }

  /**
   * Which of them has room and the fewest units, and is in time at `now` if that is given. It is asked
   * several times a statement, so it makes no garbage: no iterator, and no times where numbers do.
   */
  #leastOf(settings: LabelSettings, now: number | undefined): Member | undefined {
    let least: Member | undefined;
    let fewest = this.#sharing.depth;
    for (let index = 0; index < this.#members.length; index += 1) {
      const member = this.#members[index];
      if (
        member !== undefined &&
        member.units < fewest &&
        member.use === "shared" &&
        member.takesMore &&
        !member.backend.isHeldUp &&
        member.settings === settings &&
        !member.awaitsSettings &&
        (now === undefined || this.#isInTime(member, now))
      ) {
        least = member;
        fewest = member.units;
      }
    }
    return least;
  }

  /** Whether it is not to be replaced, and does not run something long. */
  #isInTime(member: Member, now: number): boolean {
    return (
      this.#options.isRecent(member, now) &&
      this.#sharing.isShortSoFar(member.run.unitMs(now, this.#time))
    );
  }
}

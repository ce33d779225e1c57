import { ServerTime } from "./server-time.ts";
import type { PoolerTime } from "./server-time.ts";
import type { Sharing } from "./sharing.ts";

/** A run is reported once it has so many units. */
const ENOUGH_UNITS = 8;
/** What ends within this belongs together: its answers came in one piece. */
const PAUSE_MS = 0.05;
/** A run is reported with so many units even without a pause. */
const MOST_UNITS = 256;

/**
 * The time that a shared session works without running out of units. Units are counted together,
 * since their answers come in pieces: most of them would seem to have taken no time, and a few all
 * of it.
 */
export class BusyRun {
  readonly #run = new ServerTime();
  readonly #unit = new ServerTime();
  #units = 0;

  /** The session begins to work. */
  begin(now: number, time: PoolerTime): void {
    this.#run.begin(now, time);
    this.#unit.begin(now, time);
    this.#units = 0;
  }

  /** How long the first unit in the FIFO runs at least. */
  unitMs(now: number, time: PoolerTime): number {
    return this.#unit.leastMs(now, time);
  }

  /** A unit has ended. `isLast`: the session has nothing to do now. Tells `sharing` of a whole run. */
  unitEnded(now: number, time: PoolerTime, isLast: boolean, sharing: Sharing): void {
    const isPause = now - this.#unit.since > PAUSE_MS;
    this.#units += 1;
    this.#unit.begin(now, time);
    const isEnough = this.#units >= (isPause ? ENOUGH_UNITS : MOST_UNITS);
    if (isLast || isEnough) {
      sharing.onRun(this.#run.leastMs(now, time), this.#units);
      this.begin(now, time);
    }
  }
}

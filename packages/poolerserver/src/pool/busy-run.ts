import type { Sharing } from "./sharing.ts";

/** A run is reported once it has so many units. */
const ENOUGH_UNITS = 8;
/** What ends within this belongs together: its answers came in one piece. */
const PAUSE_MS = 0.05;
/** A run is reported with so many units even without a pause. */
const MOST_UNITS = 256;
/** Of each run, no more is taken to be the pooler's own work: about a turn or two of a busy event loop. */
const OWN_WORK_MS = 4;

/**
 * The time that a shared session works without running out of units. Units are counted together,
 * since their answers come in pieces: most of them would seem to have taken no time, and a few all
 * of it.
 *
 * What counts is the time for which the pooler had nothing to do but to wait. Where it is busy, answers
 * lie in their sockets until it comes to read them: short statements would seem to take as long as a turn
 * of its event loop.
 */
export class BusyRun {
  #since = 0;
  #waitedMs = 0;
  #units = 0;
  #unitSince = 0;

  /** Since when the first unit in the FIFO runs. */
  get unitSince(): number {
    return this.#unitSince;
  }

  /** The session begins to work. `waitedMs`: how long the pooler has waited for events so far. */
  begin(now: number, waitedMs: number): void {
    this.#since = now;
    this.#waitedMs = waitedMs;
    this.#unitSince = now;
    this.#units = 0;
  }

  /** A unit has ended. `isLast`: the session has nothing to do now. Tells `sharing` of a whole run. */
  unitEnded(now: number, waitedMs: number, isLast: boolean, sharing: Sharing): void {
    const isPause = now - this.#unitSince > PAUSE_MS;
    this.#units += 1;
    this.#unitSince = now;
    const isEnough = this.#units >= (isPause ? ENOUGH_UNITS : MOST_UNITS);
    if (isLast || isEnough) {
      const leastMs = now - this.#since - OWN_WORK_MS;
      sharing.onRun(Math.max(waitedMs - this.#waitedMs, leastMs), this.#units);
      this.begin(now, waitedMs);
    }
  }
}

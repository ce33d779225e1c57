import type { Clock, Timer } from "@multipooler/timing";

/** What ends at a moment. */
export interface Expiring {
  /** On the monotonic clock. */
  readonly deadline: number;
  /** The moment has come: called once, and not after it was removed. Must not throw. */
  expire(): void;
}

/** Those that end within this of each other may end together. */
const STEP_MS = 5;

/**
 * Ends calls at their deadlines, with one timer for all of them. Nearly every call ends long before its
 * deadline, and a timer of its own would be set and cancelled for nothing. So the timer waits for the
 * earliest deadline that there has been, and looks at all calls when it fires.
 */
export class CallDeadlines {
  readonly #clock: Clock;
  readonly #waiting = new Set<Expiring>();
  #timer: Timer | undefined;
  #firesAt = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(call: Expiring): void {
    this.#waiting.add(call);
    if (call.deadline < this.#firesAt) {
      this.#fireAt(call.deadline);
    }
  }

  /** The call does not expire any more. */
  remove(call: Expiring): void {
    this.#waiting.delete(call);
  }

  /** Leaves no timer. No call is left. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#firesAt = Number.POSITIVE_INFINITY;
  }

  #fireAt(moment: number): void {
    this.#timer?.cancel();
    this.#firesAt = moment;
    this.#timer = this.#clock.setTimer(this.#look, moment - this.#clock.monotonic());
  }

  readonly #look = (): void => {
    const now = this.#clock.monotonic();
    let next = Number.POSITIVE_INFINITY;
    for (const call of this.#waiting) {
      if (call.deadline <= now) {
        this.#waiting.delete(call);
        call.expire();
      } else {
        next = Math.min(next, call.deadline);
      }
    }
    this.close();
    if (next < Number.POSITIVE_INFINITY) {
      // Thousands that time out one after the other are not all looked at for each of them.
      this.#fireAt(Math.max(next, now + STEP_MS));
    }
  };
}

import { systemClock } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";

/** The clock of the machine, whose monotonic time a test can move forward. Timers stay as they are. */
export class ShiftingClock implements Clock {
  #shiftMs = 0;
  readonly now: () => number = systemClock.now;
  readonly setTimer: Clock["setTimer"] = systemClock.setTimer;

  monotonic(): number {
    return systemClock.monotonic() + this.#shiftMs;
  }

  shift(ms: number): void {
    this.#shiftMs += ms;
  }
}

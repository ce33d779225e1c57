import { systemClock } from "@multipooler/timing";
import type { Clock, Timer } from "@multipooler/timing";

/** The clock of the machine, whose monotonic time a test can move forward. Timers stay as they are. */
export class ShiftingClock implements Clock {
  #shiftMs = 0;

  now(): number {
    return systemClock.now();
  }

  monotonic(): number {
    return systemClock.monotonic() + this.#shiftMs;
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    return systemClock.setTimer(callback, delayMs);
  }

  shift(ms: number): void {
    this.#shiftMs += ms;
  }
}

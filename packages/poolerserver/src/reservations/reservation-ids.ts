import type { Clock } from "@multipooler/timing";

const NANOSECONDS_PER_MILLISECOND = 1_000_000n;

/**
 * The ids of the reservations of one pooler. They begin with the time in nanoseconds, so that none
 * of them comes back after a restart either: a gateway may still ask for one of the time before.
 */
export class ReservationIds {
  #last: bigint;

  constructor(clock: Clock) {
    this.#last = BigInt(Math.floor(clock.now())) * NANOSECONDS_PER_MILLISECOND;
  }

  next(): bigint {
    this.#last += 1n;
    return this.#last;
  }
}

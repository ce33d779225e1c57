import { Line, placeOf } from "./line.ts";
import type { Place } from "./line.ts";

/** A client whose units wait. */
export class Origin<Unit> {
  readonly name: string;
  readonly units: Line<Unit> = new Line();
  /** Among the origins. */
  readonly turn: Place<Origin<Unit>> = placeOf(this);

  constructor(name: string) {
    this.name = name;
  }
}

/**
 * How a unit waits in a queue, which alone changes it. It stays with the unit: what a crowd that waits
 * makes anew each time, the garbage collector takes for something that lasts.
 */
export class Waiting<Unit> {
  readonly arrival: Place<Unit>;
  readonly inOrigin: Place<Unit>;
  origin: Origin<Unit>;
  isReserving = false;
  bytes = 0;
  /** When it came. */
  at = 0;
  overtaken = 0;

  constructor(unit: Unit, origin: string) {
    this.arrival = placeOf(unit);
    this.inOrigin = placeOf(unit);
    this.origin = new Origin(origin);
  }
}

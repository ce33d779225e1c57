import { Line } from "./line.ts";
import type { Place } from "./line.ts";
import type { Unit } from "./unit.ts";

interface Origin {
  readonly name: string;
  readonly units: Line<Unit>;
  turn: Place<Origin> | undefined;
}

/** Where a unit stands among those of its origin. */
export interface Standing {
  readonly origin: Origin;
  readonly inOrigin: Place<Unit>;
}

/**
 * Units in the order of their turns. Origins take turns, one unit each; the units of one origin are
 * served in the order they came. So a client's flood costs another client the wait for one unit of
 * it, not for all of them.
 */
export class OriginTurns {
  readonly #origins = new Map<string, Origin>();
  readonly #turns = new Line<Origin>();
  #size = 0;
  #shareable = 0;

  /** The unit whose turn it is. */
  get first(): Unit | undefined {
    return this.#turns.first?.units.first;
  }

  /** Backends that would serve all of them; one is enough for any number of shareable units. */
  get wanted(): number {
    return this.#size - this.#shareable + Math.min(this.#shareable, 1);
  }

  /** Puts a unit behind those of its origin. */
  enter(unit: Unit): Standing {
    this.#size += 1;
    this.#shareable += unit.kind === "shareable" ? 1 : 0;
    const origin = this.#originOf(unit);
    return { origin, inOrigin: origin.units.enter(unit) };
  }

  /** Has the other origins come before the next unit of this one. */
  pass({ origin }: Standing): void {
    if (origin.turn !== undefined) {
      this.#turns.leave(origin.turn);
      origin.turn = this.#turns.enter(origin);
    }
  }

  /** Takes out a unit wherever it stands. */
  leave(unit: Unit, { origin, inOrigin }: Standing): void {
    this.#size -= 1;
    this.#shareable -= unit.kind === "shareable" ? 1 : 0;
    origin.units.leave(inOrigin);
    if (origin.units.length === 0 && origin.turn !== undefined) {
      this.#turns.leave(origin.turn);
      this.#origins.delete(origin.name);
    }
  }

  /** The first unit of each origin, in the order of their turns; nothing must change meanwhile. */
  *firsts(): Iterable<Unit | undefined> {
    for (const { units } of this.#turns) {
      yield units.first;
    }
  }

  #originOf({ origin: name }: Unit): Origin {
    const known = this.#origins.get(name);
    if (known !== undefined) {
      return known;
    }
    const origin: Origin = { name, units: new Line(), turn: undefined };
    origin.turn = this.#turns.enter(origin);
    this.#origins.set(name, origin);
    return origin;
  }
}

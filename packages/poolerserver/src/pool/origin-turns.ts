import { Line } from "./line.ts";
import type { Unit } from "./unit.ts";
import { Origin } from "./waiting.ts";
import type { Waiting } from "./waiting.ts";

/**
 * Units in the order of their turns. Origins take turns, one unit each; the units of one origin are
 * served in the order they came. So a client's flood costs another client the wait for one unit of
 * it, not for all of them.
 */
export class OriginTurns {
  readonly #origins = new Map<string, Origin<Unit>>();
  readonly #turns = new Line<Origin<Unit>>();
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
  enter(unit: Unit, waiting: Waiting<Unit>): void {
    this.#size += 1;
    this.#shareable += unit.kind === "shareable" ? 1 : 0;
    this.#join(waiting);
    waiting.origin.units.enter(waiting.inOrigin);
  }

  /** Has the other origins come before the next unit of this one. */
  pass({ origin }: Waiting<Unit>): void {
    this.#turns.leave(origin.turn);
    this.#turns.enter(origin.turn);
  }

  /** Takes out a unit wherever it stands. */
  leave(unit: Unit, { origin, inOrigin }: Waiting<Unit>): void {
    this.#size -= 1;
    this.#shareable -= unit.kind === "shareable" ? 1 : 0;
    origin.units.leave(inOrigin);
    if (origin.units.length === 0) {
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

  /** Its own origin stands for those of the same name, unless one has come before. */
  #join(waiting: Waiting<Unit>): void {
    const { name } = waiting.origin;
    const known = this.#origins.get(name);
    if (known !== undefined) {
      waiting.origin = known;
      return;
    }
    if (waiting.origin.turn.line !== undefined) {
      // Another unit has it in another queue.
      waiting.origin = new Origin(name);
    }
    this.#turns.enter(waiting.origin.turn);
    this.#origins.set(name, waiting.origin);
  }
}

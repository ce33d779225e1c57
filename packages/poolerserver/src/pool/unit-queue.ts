import type { Clock, Timer } from "@multipooler/timing";
import { settingsOf } from "./label.ts";
import type { LabelSettings } from "./label-settings.ts";
import { Line } from "./line.ts";
import { OriginTurns } from "./origin-turns.ts";
import type { Unit } from "./unit.ts";
import { Waiting } from "./waiting.ts";

/** Counted for each unit besides its own bytes, so that the number of units is bounded too. */
const BYTES_PER_UNIT = 1024;
/** The wait limit is kept to within this, so that units that come one by one need few timers. */
const LIMIT_GRAIN_MS = 20;
/** So often at most a unit is overtaken, when its turn has come, by those whose settings a backend has. */
const MAX_OVERTAKEN = 8;
/** So many origins are looked at to find one. */
const LOOK_AHEAD = 16;

export interface UnitQueueOptions {
  readonly clock: Clock;
  /** The longest that a unit waits; 0: without limit. */
  readonly limitMs: number;
  /** The most that the units keep in memory together while they wait. */
  readonly maxBytes: number;
  /** A unit has waited for too long, and has left the queue. `waiting` includes it. */
  readonly onExpired: (unit: Unit, waiting: number) => void;
  /**
   * How many units that reserve their backend may have one now. Where there is no room for them, the
   * others go ahead. Default: as many as there are, and all take the same turns.
   */
  readonly reservable?: (() => number) | undefined;
}

/**
 * Units that wait for a backend, in the order of {@link OriginTurns}. Where reservations are bounded,
 * they have turns of their own, and the unit goes first that came first.
 */
export class UnitQueue {
  readonly #options: UnitQueueOptions;
  readonly #turns = new OriginTurns();
  readonly #reserving: OriginTurns;
  readonly #arrivals = new Line<Unit>();
  #bytes = 0;
  #timer: Timer | undefined;

  constructor(options: UnitQueueOptions) {
    this.#options = options;
    this.#reserving = options.reservable === undefined ? this.#turns : new OriginTurns();
  }

  get size(): number {
    return this.#arrivals.length;
  }

  /** What the units that wait keep in memory. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Backends that would serve all that may have one; see {@link OriginTurns.wanted}. */
  get wanted(): number {
    const reserving = this.#reserving === this.#turns ? 0 : this.#reserving.wanted;
    return this.#turns.wanted + Math.min(reserving, this.#reservable);
  }

  /** How long the unit has waited that came first; 0 if none waits. */
  longestWaitMs(): number {
    const first = this.#waitingOf(this.#arrivals.first);
    return first === undefined ? 0 : this.#options.clock.monotonic() - first.at;
  }

  /** The unit whose turn it is, of those that may have a backend. */
  get next(): Unit | undefined {
    const { first } = this.#turns;
    if (this.#reserving === this.#turns || this.#reservable === 0) {
      return first;
    }
    const reserving = this.#reserving.first;
    return this.#cameAt(reserving) < this.#cameAt(first) ? reserving : first;
  }

  /** Puts a unit that is not there yet behind those of its origin. False: there is no room for it. */
  enter(unit: Unit): boolean {
    const bytes = BYTES_PER_UNIT + unit.byteLength;
    if (this.#bytes + bytes > this.#options.maxBytes) {
      return false;
    }
    this.#bytes += bytes;
    const waiting = (unit.waiting ??= new Waiting(unit, unit.origin));
    waiting.isReserving = unit.reserves === true;
    waiting.bytes = bytes;
    waiting.at = this.#options.clock.monotonic();
    waiting.overtaken = 0;
    this.#turnsOf(waiting).enter(unit, waiting);
    this.#arrivals.enter(waiting.arrival);
    this.#arm(this.#options.limitMs);
    return true;
  }

  /**
   * The first of an origin that may overtake the one whose turn it is, because it wants these
   * settings. That one is overtaken 8 times at most.
   */
  overtaking(settings: LabelSettings): Unit | undefined {
    const { next } = this;
    const waiting = this.#waitingOf(next);
    if (waiting === undefined || waiting.overtaken >= MAX_OVERTAKEN) {
      return undefined;
    }
    let looked = 0;
    for (const unit of this.#turnsOf(waiting).firsts()) {
      if (unit !== undefined && unit !== next && settingsOf(unit) === settings) {
        waiting.overtaken += 1;
        return unit;
      }
      looked += 1;
      if (looked === LOOK_AHEAD) {
        return undefined;
      }
    }
    return undefined;
  }

  /**
   * Takes a unit that is the first of its origin, whose next turn comes after those of the others.
   * Returns how long it has waited.
   */
  take(unit: Unit): number {
    const waiting = this.#waitingOf(unit);
    if (waiting === undefined) {
      return 0;
    }
    this.#turnsOf(waiting).pass(waiting);
    this.remove(unit);
    return this.#options.clock.monotonic() - waiting.at;
  }

  /** Takes out a unit wherever it stands. False: it does not wait. */
  remove(unit: Unit): boolean {
    const waiting = this.#waitingOf(unit);
    if (waiting === undefined) {
      return false;
    }
    this.#bytes -= waiting.bytes;
    this.#arrivals.leave(waiting.arrival);
    this.#turnsOf(waiting).leave(unit, waiting);
    return true;
  }

  /** Takes out `count` units in the order they came, except the first `after`. */
  takeOldest(after: number, count: number): Unit[] {
    const units = [...this.#arrivals].slice(after, after + count);
    for (const unit of units) {
      this.remove(unit);
    }
    return units;
  }

  /** The limit of the options has changed, for those who wait too. */
  limitChanged(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#options.limitMs > 0) {
      this.#expire();
    }
  }

  /** Drops the timer. The queue is empty and nothing enters any more. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  get #reservable(): number {
    return this.#options.reservable?.() ?? Number.POSITIVE_INFINITY;
  }

  #cameAt(unit: Unit | undefined): number {
    return this.#waitingOf(unit)?.at ?? Number.POSITIVE_INFINITY;
  }

  /** How a unit waits here; `undefined`: it does not. */
  #waitingOf(unit: Unit | undefined): Waiting<Unit> | undefined {
    const waiting = unit?.waiting;
    return waiting?.arrival.line === this.#arrivals ? waiting : undefined;
  }

  #turnsOf({ isReserving }: Waiting<Unit>): OriginTurns {
    return isReserving ? this.#reserving : this.#turns;
  }

  /** One timer for all: it stays when its unit is served, and looks for the next one when it fires. */
  #arm(delayMs: number): void {
    if (this.#options.limitMs > 0 && this.#timer === undefined) {
      this.#timer = this.#options.clock.setTimer(() => this.#expire(), delayMs);
    }
  }

  #expire(): void {
    const { clock, limitMs, onExpired } = this.#options;
    this.#timer = undefined;
    const now = clock.monotonic();
    for (;;) {
      const oldest = this.#arrivals.first;
      if (oldest === undefined) {
        return;
      }
      const leftMs = this.#cameAt(oldest) + limitMs - now;
      if (leftMs > 0) {
        this.#arm(Math.max(leftMs, LIMIT_GRAIN_MS));
        return;
      }
      const waiting = this.size;
      this.remove(oldest);
      onExpired(oldest, waiting);
    }
  }
}

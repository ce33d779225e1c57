import type { Clock, Timer } from "./clock.ts";

/** One who is to take bytes. */
export interface Taker {
  /** What it took so far. */
  readonly takenBytes: number;
  /** It took nothing for the whole limit: called once, and not after `remove`. Must not throw. */
  onStalled(): void;
}

export interface StallWatchOptions {
  readonly clock: Clock;
  /** How long one may take nothing, in milliseconds; 0: for ever. */
  readonly limitMs: number;
}

/** When a taker was last seen to have taken something. */
interface Sign {
  takenBytes: number;
  atMs: number;
}

/** A stall is seen late by an eighth of the limit at most. */
const LOOKS_PER_LIMIT = 8;

/**
 * Finds those who take nothing of what waits for them. One who takes little, however slowly, is left
 * alone: any byte counts. One timer looks at all of them, and there is none while nobody is watched.
 */
export class StallWatch {
  readonly #clock: Clock;
  readonly #signs = new Map<Taker, Sign>();
  #limitMs: number;
  #timer: Timer | undefined;

  constructor({ clock, limitMs }: StallWatchOptions) {
    this.#clock = clock;
    this.#limitMs = limitMs;
  }

  get limitMs(): number {
    return this.#limitMs;
  }

  /** Something waits for it from now on. Does nothing for one that is watched. */
  add(taker: Taker): void {
    if (!this.#signs.has(taker)) {
      this.#signs.set(taker, { takenBytes: taker.takenBytes, atMs: this.#clock.monotonic() });
      this.#setTimer();
    }
  }

  /** Nothing waits for it any more. */
  remove(taker: Taker): void {
    this.#signs.delete(taker);
  }

  /** Gives another limit, for those too that are watched. */
  change(limitMs: number): void {
    this.#limitMs = limitMs;
    this.close();
    this.#setTimer();
  }

  /** Leaves no timer. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #setTimer(): void {
    if (this.#limitMs > 0 && this.#signs.size > 0) {
      this.#timer ??= this.#clock.setTimer(this.#look, this.#limitMs / LOOKS_PER_LIMIT);
    }
  }

  readonly #look = (): void => {
    this.#timer = undefined;
    const now = this.#clock.monotonic();
    for (const [taker, sign] of this.#signs) {
      const { takenBytes } = taker;
      if (takenBytes !== sign.takenBytes) {
        sign.takenBytes = takenBytes;
        sign.atMs = now;
      } else if (now - sign.atMs >= this.#limitMs) {
        this.#signs.delete(taker);
        taker.onStalled();
      }
    }
    this.#setTimer();
  };
}

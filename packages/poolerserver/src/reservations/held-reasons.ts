import { ReservationReason } from "@multipooler/query-service";

/** The reasons that end with the statement that brought them, if it fails. */
const STATEMENT_LOCAL = ReservationReason.TempTable | ReservationReason.Portal;

/** What a statement has added to the reasons; {@link HeldReasons.undo} takes that away. */
export interface AddedReasons {
  /** Of the statement-local reasons those that were not there before. */
  readonly bits: number;
  /** The names that were not pinned before. */
  readonly pins: readonly string[];
}

/**
 * Why one backend is held: bits of `ReservationReason`, and the names of pinned portals, which
 * together are the reason `Portal`.
 */
export class HeldReasons {
  readonly #pins = new Set<string>();
  #bits = 0;
  #everHeld = 0;

  /** Every reason that there has been. */
  get everHeld(): number {
    return this.#everHeld;
  }

  get bits(): number {
    return this.#bits;
  }

  /** Whether nothing is left to hold the backend for. */
  get isEmpty(): boolean {
    return this.#bits === 0;
  }

  has(reason: ReservationReason): boolean {
    return (this.#bits & reason) !== 0;
  }

  /** Adds what a statement asks for, before its outcome is known. */
  add(bits: number, pins: readonly string[]): AddedReasons {
    const before = this.#bits;
    const newPins = pins.filter((name) => !this.#pins.has(name));
    this.#bits |= bits;
    this.#everHeld |= bits;
    this.pin(newPins);
    return { bits: this.#bits & ~before & STATEMENT_LOCAL, pins: newPins };
  }

  /** The statement has failed: what is local to it was not made. */
  undo({ bits, pins }: AddedReasons): void {
    this.unpin(pins);
    this.remove(bits);
  }

  remove(bits: number): void {
    this.#bits &= ~bits;
  }

  pin(names: readonly string[]): void {
    for (const name of names) {
      this.#pins.add(name);
      this.#bits |= ReservationReason.Portal;
      this.#everHeld |= ReservationReason.Portal;
    }
  }

  /** The portals are closed. `Portal` is no reason any more when the last one is. */
  unpin(names: readonly string[]): void {
    for (const name of names) {
      this.#pins.delete(name);
    }
    if (names.length > 0 && this.#pins.size === 0) {
      this.#bits &= ~ReservationReason.Portal;
    }
  }

  unpinAll(): void {
    this.#pins.clear();
    this.#bits &= ~ReservationReason.Portal;
  }

  clear(): void {
    this.#pins.clear();
    this.#bits = 0;
  }
}

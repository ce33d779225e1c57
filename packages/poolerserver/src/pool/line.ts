/** A place in a {@link Line}, which alone changes it. */
export interface Place<T> {
  readonly value: T;
  line: Line<T> | undefined;
  before: Place<T> | undefined;
  behind: Place<T> | undefined;
}

/** A place that is in no line. */
export function placeOf<T>(value: T): Place<T> {
  return { value, line: undefined, before: undefined, behind: undefined };
}

/** A FIFO that anyone can step out of, at a cost that does not grow with its length. */
export class Line<T> {
  #first: Place<T> | undefined;
  #last: Place<T> | undefined;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  get first(): T | undefined {
    return this.#first?.value;
  }

  /** A place that is in no line goes to the end of this one. */
  enter(place: Place<T>): void {
    place.line = this;
    place.before = this.#last;
    if (this.#last === undefined) {
      this.#first = place;
    } else {
      this.#last.behind = place;
    }
    this.#last = place;
    this.#length += 1;
  }

  /** Steps out of the line. Does nothing for a place that has been left. */
  leave(place: Place<T>): void {
    if (place.line !== this) {
      return;
    }
    if (place.before === undefined) {
      this.#first = place.behind;
    } else {
      place.before.behind = place.behind;
    }
    if (place.behind === undefined) {
      this.#last = place.before;
    } else {
      place.behind.before = place.before;
    }
    // A place that is kept must not keep those that were beside it.
    place.line = undefined;
    place.before = undefined;
    place.behind = undefined;
    this.#length -= 1;
  }

  /** From the first to the last; the line must not change meanwhile. */
  *[Symbol.iterator](): Iterator<T> {
    for (let place = this.#first; place !== undefined; place = place.behind) {
      yield place.value;
    }
  }
}

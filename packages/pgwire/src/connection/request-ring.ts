import type { Request } from "./request.ts";

const INITIAL_CAPACITY = 8;

/**
 * Requests in the order of their coming, in an array that is used over and over: an array that is
 * pushed to and shifted from allocates a new store at nearly every request.
 */
export class RequestRing {
  /** Its length is a power of two. */
  #slots: (Request | undefined)[] = Array.from({ length: INITIAL_CAPACITY });
  #head = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** The request at a place; 0 is the oldest. */
  at(index: number): Request | undefined {
    return index < this.#length ? this.#slots[this.#slot(index)] : undefined;
  }

  /** The place of a request that is not before `from`; -1: there is none. */
  indexOf(request: Request, from = 0): number {
    for (let index = from; index < this.#length; index += 1) {
      if (this.#slots[this.#slot(index)] === request) {
        return index;
      }
    }
    return -1;
  }

  push(request: Request): void {
    if (this.#length === this.#slots.length) {
      this.#grow();
    }
    this.#slots[this.#slot(this.#length)] = request;
    this.#length += 1;
  }

  shift(): Request | undefined {
    const request = this.at(0);
    if (request !== undefined) {
      this.#slots[this.#head] = undefined;
      this.#head = this.#slot(1);
      this.#length -= 1;
    }
    return request;
  }

  /** Takes out the request at a place. */
  remove(index: number): void {
    for (let at = index; at < this.#length - 1; at += 1) {
      this.#slots[this.#slot(at)] = this.#slots[this.#slot(at + 1)];
    }
    this.#length -= 1;
    this.#slots[this.#slot(this.#length)] = undefined;
  }

  #slot(index: number): number {
    return (this.#head + index) & (this.#slots.length - 1);
  }

  #grow(): void {
    const larger = Array.from<Request | undefined>({ length: this.#slots.length * 2 });
    for (let index = 0; index < this.#length; index += 1) {
      larger[index] = this.at(index);
    }
    this.#slots = larger;
    this.#head = 0;
  }
}

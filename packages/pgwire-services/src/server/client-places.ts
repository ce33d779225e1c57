import { Refusal } from "../login/refusal.ts";

/** A place that a client may take, given back at its end. */
export interface ClientPlace extends Disposable {
  /** Takes it. @throws a `Refusal` if none is left. */
  take(): void;
}

/** How many clients may be logged in or about to be. */
export class ClientPlaces {
  readonly #limit: number;
  #taken = 0;
  #refused = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get taken(): number {
    return this.#taken;
  }

  /** Clients that found no place. */
  get refused(): number {
    return this.#refused;
  }

  reserve(): ClientPlace {
    let isTaken = false;
    return {
      take: () => {
        if (this.#taken >= this.#limit) {
          this.#refused += 1;
          throw new Refusal("53300", "sorry, too many clients already", {
            detail: `The pooler serves ${this.#limit} clients at once.`,
          });
        }
        isTaken = true;
        this.#taken += 1;
      },
      [Symbol.dispose]: () => {
        this.#taken -= isTaken ? 1 : 0;
        isTaken = false;
      },
    };
  }
}

import { expect, test } from "vitest";
import { DialLimit } from "./dial-limit.ts";

/** A pool that dials as soon as it may, `wanted` times. */
class WaitingPool {
  readonly #limit: DialLimit;
  #wanted: number;
  begun = 0;
  readonly dial = (): void => {
    while (this.#wanted > 0 && this.#limit.hasRoom(this.dial)) {
      this.#limit.begin();
      this.#wanted -= 1;
      this.begun += 1;
    }
  };

  constructor(limit: DialLimit, wanted: number) {
    this.#limit = limit;
    this.#wanted = wanted;
    this.dial();
  }

  forget(): void {
    this.#limit.forget(this.dial);
  }
}

test("pools have four dials under way together, and get further ones in turn", () => {
  const limit = new DialLimit();
  const pools = [new WaitingPool(limit, 5), new WaitingPool(limit, 2), new WaitingPool(limit, 1)];
  const begun = (): number[] => pools.map((pool) => pool.begun);
  expect(begun()).toEqual([4, 0, 0]);
  limit.end();
  expect(begun()).toEqual([5, 0, 0]);
  limit.end();
  expect(begun()).toEqual([5, 1, 0]);
  limit.end();
  expect(begun()).toEqual([5, 1, 1]);
  limit.end();
  expect(begun()).toEqual([5, 2, 1]);
});

test("a pool that is gone is passed over", () => {
  const limit = new DialLimit();
  const first = new WaitingPool(limit, 4);
  const gone = new WaitingPool(limit, 1);
  const last = new WaitingPool(limit, 1);
  gone.forget();
  limit.end();
  expect([first.begun, gone.begun, last.begun]).toEqual([4, 0, 1]);
});

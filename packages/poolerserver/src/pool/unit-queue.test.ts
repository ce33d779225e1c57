import { ManualClock } from "@multipooler/timing/testing";
import { expect, test } from "vitest";
import { TestUnit } from "../../test/unit-client.ts";
import { UnitQueue } from "./unit-queue.ts";
import type { Unit } from "./unit.ts";

function setUp(options: { limitMs?: number; maxBytes?: number } = {}): {
  queue: UnitQueue;
  clock: ManualClock;
  expired: Unit[];
  enter: (...origins: string[]) => TestUnit[];
  take: () => Unit | undefined;
} {
  const clock = new ManualClock();
  const expired: Unit[] = [];
  const { limitMs = 0, maxBytes = 1_000_000 } = options;
  const onExpired = (unit: Unit): void => void expired.push(unit);
  const queue = new UnitQueue({ clock, limitMs, maxBytes, onExpired });
  const enter = (...origins: string[]): TestUnit[] =>
    origins.map((origin, id) => {
      const unit = new TestUnit({ id, origin, kind: "exclusive" });
      queue.enter(unit);
      return unit;
    });
  const take = (): Unit | undefined => {
    const { next } = queue;
    if (next !== undefined) {
      queue.take(next);
    }
    return next;
  };
  return { queue, clock, expired, enter, take };
}

test("origins take turns, each in its own order", () => {
  const { queue, enter, take } = setUp();
  const [a1, a2, a3, b1, c1, b2] = enter("a", "a", "a", "b", "c", "b");
  const order = Array.from({ length: 6 }, () => take());
  expect(order).toEqual([a1, b1, c1, a2, b2, a3]);
  expect([take(), queue.size, queue.bytes]).toEqual([undefined, 0, 0]);
});

test("an origin that comes back waits behind those that are there", () => {
  const { enter, take } = setUp();
  const [, b1] = enter("a", "b");
  take();
  const [a2] = enter("a");
  expect([take(), take()]).toEqual([b1, a2]);
});

test("a unit that is taken out passes the turn to the next of its origin", () => {
  const { queue, enter, take } = setUp();
  const [a1, a2, b1] = enter("a", "a", "b");
  if (a1 !== undefined) {
    expect([queue.remove(a1), queue.remove(a1)]).toEqual([true, false]);
  }
  expect([take(), take()]).toEqual([a2, b1]);
});

test("what would not fit into the bound is not taken in, also if it is only many units", () => {
  const { queue, enter, take } = setUp({ maxBytes: 10_000 });
  enter(...Array<string>(20).fill("a"));
  expect(queue.size).toBe(9);
  expect(queue.bytes).toBeLessThanOrEqual(10_000);
  take();
  enter("a", "a");
  expect(queue.size).toBe(9);
});

test("each unit waits for its own limit, under one timer", () => {
  const { queue, clock, expired, enter } = setUp({ limitMs: 1000 });
  const [first] = enter("a");
  clock.step(600);
  const [second] = enter("b");
  expect(clock.pending).toBe(1);
  clock.step(400);
  expect(expired).toEqual([first]);
  clock.step(599);
  expect(expired).toEqual([first]);
  clock.step(1);
  expect(expired).toEqual([first, second]);
  expect([queue.size, clock.pending]).toEqual([0, 0]);
});

test("the oldest are taken across origins, in the order they came", () => {
  const { queue, enter } = setUp();
  const [a1, a2, b1] = enter("a", "a", "b");
  expect(queue.takeOldest(1, 1)).toEqual([a2]);
  expect(queue.takeOldest(0, Number.POSITIVE_INFINITY)).toEqual([a1, b1]);
  expect(queue.size).toBe(0);
});

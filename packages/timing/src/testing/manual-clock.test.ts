import { expect, test } from "vitest";
import { ManualClock } from "./manual-clock.ts";

test("time stands still until it is moved", async () => {
  const clock = new ManualClock({ startsAt: 5000 });
  expect([clock.now(), clock.monotonic()]).toEqual([5000, 0]);
  await clock.advance(100);
  expect([clock.now(), clock.monotonic()]).toEqual([5100, 100]);
  clock.step(50);
  expect([clock.now(), clock.monotonic()]).toEqual([5150, 150]);
});

test("setting the wall time moves no timer and leaves the monotonic time", async () => {
  const clock = new ManualClock({ startsAt: 5000 });
  const calledAt: number[] = [];
  clock.setTimer(() => calledAt.push(clock.monotonic()), 100);
  clock.shiftWallTime(-4000);
  expect([clock.now(), clock.monotonic()]).toEqual([1000, 0]);
  await clock.advance(100);
  expect(calledAt).toEqual([100]);
});

test.each(["advance", "step"] as const)(
  "%s calls what is due, in order, at its time",
  async (move) => {
    const clock = new ManualClock();
    const calls: string[] = [];
    const note = (what: string) => (): void => {
      calls.push(`${what} at ${clock.monotonic()}`);
    };
    clock.setTimer(note("late"), 301);
    clock.setTimer(note("second"), 200);
    clock.setTimer(note("first"), 100);
    clock.setTimer(note("third, of the same time"), 200);
    clock.setTimer(note("cancelled"), 150).cancel();
    clock.setTimer(() => clock.setTimer(note("set on the way"), 50), 210);
    expect(clock.pending).toBe(5);
    await clock[move](300);
    expect(calls).toEqual([
      "first at 100",
      "second at 200",
      "third, of the same time at 200",
      "set on the way at 260",
    ]);
    expect(clock.pending).toBe(1);
  },
);

test("between two calls of advance, what follows from the first is over; not so with step", async () => {
  const clock = new ManualClock();
  const calls: string[] = [];
  const setTwo = (): void => {
    clock.setTimer(() => void Promise.resolve().then(() => calls.push("followed")), 1);
    clock.setTimer(() => calls.push("second"), 2);
  };
  setTwo();
  await clock.advance(2);
  expect(calls).toEqual(["followed", "second"]);
  setTwo();
  clock.step(2);
  expect(calls).toEqual(["followed", "second", "second"]);
});

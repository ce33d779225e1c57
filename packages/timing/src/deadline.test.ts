import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { Deadline, isTimeout } from "./deadline.ts";
import { ManualClock } from "./testing/manual-clock.ts";
import { untilAborted } from "./until-aborted.ts";

test("a deadline aborts with a TimeoutError that says what took too long", async () => {
  const clock = new ManualClock();
  using deadline = new Deadline({ clock, ms: 100, what: "the dial" });
  await clock.advance(99);
  expect(deadline.signal.aborted).toBe(false);
  await clock.advance(1);
  expect(isTimeout(deadline.signal.reason)).toBe(true);
  expect(deadline.signal.reason).toMatchObject({ message: "the dial took longer than 100 ms" });
});

test("a deadline follows another signal, with its reason", () => {
  const clock = new ManualClock();
  const parent = new AbortController();
  using deadline = new Deadline({
    clock,
    ms: 100,
    what: "it",
    signal: parent.signal,
  });
  const reason = new Error("enough");
  parent.abort(reason);
  expect(deadline.signal.reason).toBe(reason);
  expect(clock.pending).toBe(0);
});

test("a deadline after an abort is over from the start, and waits for nothing", () => {
  const clock = new ManualClock();
  using deadline = new Deadline({
    clock,
    ms: 100,
    what: "it",
    signal: AbortSignal.abort("before"),
  });
  expect(deadline.signal.reason).toBe("before");
  expect(clock.pending).toBe(0);
});

test("a disposed deadline leaves no timer, no listener, and never aborts", async () => {
  const clock = new ManualClock();
  const parent = new AbortController();
  const deadline = new Deadline({ clock, ms: 100, what: "it", signal: parent.signal });
  deadline[Symbol.dispose]();
  expect(clock.pending).toBe(0);
  expect(getEventListeners(parent.signal, "abort")).toEqual([]);
  await clock.advance(200);
  parent.abort();
  expect(deadline.signal.aborted).toBe(false);
});

test("work that is done in time is not disturbed, and leaves no timer", async () => {
  const clock = new ManualClock();
  let signal: AbortSignal;
  {
    using deadline = new Deadline({ clock, ms: 100, what: "it" });
    ({ signal } = deadline);
  }
  await clock.advance(1000);
  expect(clock.pending).toBe(0);
  expect(signal.aborted).toBe(false);
});

test("the deadline aborts the work with a timeout", async () => {
  const clock = new ManualClock();
  using deadline = new Deadline({ clock, ms: 100, what: "it" });
  const work = untilAborted(new Promise(() => undefined), deadline.signal);
  const failed = expect(work).rejects.toMatchObject({ name: "TimeoutError" });
  await clock.advance(99);
  expect(clock.pending).toBe(1);
  await clock.advance(1);
  await failed;
});

test.each([new Error("no"), new DOMException("no", "AbortError"), "TimeoutError", undefined])(
  "%s is no timeout",
  (error) => {
    expect(isTimeout(error)).toBe(false);
  },
);

test("what AbortSignal.timeout aborts with is a timeout", () => {
  expect(isTimeout(new DOMException("late", "TimeoutError"))).toBe(true);
});

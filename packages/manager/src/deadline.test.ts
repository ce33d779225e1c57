import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { ManualClock } from "../test/manual-clock.ts";
import { Deadline, isTimeout, untilAborted } from "./deadline.ts";

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
  const parent = new AbortController();
  using deadline = new Deadline({
    clock: new ManualClock(),
    ms: 100,
    what: "it",
    signal: parent.signal,
  });
  const reason = new Error("enough");
  parent.abort(reason);
  expect(deadline.signal.reason).toBe(reason);
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
  expect(clock.waiting).toBe(0);
});

test("a disposed deadline leaves no timer, no listener, and never aborts", async () => {
  const clock = new ManualClock();
  const parent = new AbortController();
  const deadline = new Deadline({ clock, ms: 100, what: "it", signal: parent.signal });
  deadline[Symbol.dispose]();
  expect(clock.waiting).toBe(0);
  expect(getEventListeners(parent.signal, "abort")).toEqual([]);
  await clock.advance(200);
  parent.abort();
  expect(deadline.signal.aborted).toBe(false);
});

test("what is awaited until an abort settles as it does, and leaves no listener", async () => {
  const { signal } = new AbortController();
  expect(await untilAborted(Promise.resolve(1), signal)).toBe(1);
  await expect(untilAborted(Promise.reject(new Error("no")), signal)).rejects.toThrow("no");
  expect(getEventListeners(signal, "abort")).toEqual([]);
});

test("an abort wins at once, and what arrives later is given back", async () => {
  const abort = new AbortController();
  const late = Promise.withResolvers<string>();
  const returned: string[] = [];
  const waiting = untilAborted(late.promise, abort.signal, (value) => returned.push(value));
  const reason = new Error("enough");
  abort.abort(reason);
  await expect(waiting).rejects.toBe(reason);
  late.resolve("connection");
  await late.promise;
  expect(returned).toEqual(["connection"]);
  expect(getEventListeners(abort.signal, "abort")).toEqual([]);
});

test("with a signal that aborted before, nothing is awaited", async () => {
  const late = Promise.withResolvers<string>();
  await expect(untilAborted(late.promise, AbortSignal.abort(new Error("before")))).rejects.toThrow(
    "before",
  );
  // A late failure is nobody's: it must not surface as an unhandled rejection.
  late.reject(new Error("late"));
});

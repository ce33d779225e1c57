import { expect, test } from "vitest";
import { withDeadline } from "./deadline.ts";
import { ManualClock } from "./testing/manual-clock.ts";

test("work that is done in time is not disturbed, and leaves no timer", async () => {
  const clock = new ManualClock();
  let signal: AbortSignal | undefined;
  const result = await withDeadline({ ms: 100, clock }, async (given) => {
    signal = given;
    return "done";
  });
  await clock.advance(1000);
  expect(result).toBe("done");
  expect(clock.sleeping).toBe(0);
  expect(signal?.aborted).toBe(false);
});

test("the deadline aborts the work with a timeout", async () => {
  const clock = new ManualClock();
  const work = withDeadline({ ms: 100, clock }, async (signal) => {
    const aborted = Promise.withResolvers<void>();
    signal.addEventListener("abort", () => aborted.resolve());
    await aborted.promise;
    signal.throwIfAborted();
  });
  const failed = expect(work).rejects.toMatchObject({ name: "TimeoutError" });
  await clock.advance(99);
  expect(clock.sleeping).toBe(1);
  await clock.advance(1);
  await failed;
});

test("the caller's abort reaches the work, with its reason", async () => {
  const clock = new ManualClock();
  const controller = new AbortController();
  const { signal } = controller;
  const reason = new Error("stopping");
  const work = withDeadline({ ms: 100, clock, signal }, async (given) => {
    controller.abort(reason);
    given.throwIfAborted();
  });
  await expect(work).rejects.toBe(reason);
  expect(clock.sleeping).toBe(0);
});

import { getEventListeners } from "node:events";
import { expect, test, vi } from "vitest";
import { sleep } from "./sleep.ts";
import { ManualClock } from "./testing/manual-clock.ts";

test.each([undefined, new AbortController().signal])(
  "it resolves when the time has passed",
  async (signal) => {
    const clock = new ManualClock();
    const over = vi.fn<() => void>();
    void sleep(clock, 100, signal).then(over);
    await clock.advance(99);
    expect(over).not.toHaveBeenCalled();
    await clock.advance(1);
    expect(over).toHaveBeenCalledTimes(1);
    expect(clock.pending).toBe(0);
    if (signal !== undefined) {
      expect(getEventListeners(signal, "abort")).toEqual([]);
    }
  },
);

test("an abort ends it at once, without an error, and leaves nothing", async () => {
  const clock = new ManualClock();
  const controller = new AbortController();
  const sleeping = sleep(clock, 1000, controller.signal);
  expect(clock.pending).toBe(1);
  controller.abort();
  await sleeping;
  expect(clock.pending).toBe(0);
  expect(getEventListeners(controller.signal, "abort")).toEqual([]);
});

test("with a signal that has aborted there is nothing to wait for", async () => {
  const clock = new ManualClock();
  const sleeping = sleep(clock, 1000, AbortSignal.abort());
  expect(clock.pending).toBe(0);
  await sleeping;
});

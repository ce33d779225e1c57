import fc from "fast-check";
import { expect, test } from "vitest";
import { Backoff } from "./backoff.ts";
import { ManualClock } from "./testing/manual-clock.ts";

test("each wait is bounded by twice the one before, and all by the maximum", () => {
  const backoff = new Backoff({ minMs: 10, maxMs: 100, clock: new ManualClock(), random: () => 1 });
  const waits = Array.from({ length: 6 }, () => backoff.nextMs());
  expect(waits).toEqual([10, 20, 40, 80, 100, 100]);
  backoff.reset();
  expect(backoff.nextMs()).toBe(10);
});

test("no number of failures makes a wait that is not a number within bounds", () => {
  fc.assert(
    fc.property(fc.nat(3000), fc.double({ min: 0, max: 1, noNaN: true }), (failures, jitter) => {
      const clock = new ManualClock();
      const backoff = new Backoff({ minMs: 10, maxMs: 30_000, clock, random: () => jitter });
      for (let count = 0; count < failures; count += 1) {
        backoff.nextMs();
      }
      const wait = backoff.nextMs();
      expect(wait).toBeGreaterThanOrEqual(0);
      expect(wait).toBeLessThanOrEqual(30_000);
    }),
    { numRuns: 50 },
  );
});

test("an abort ends a wait at once and leaves nothing asleep", async () => {
  const clock = new ManualClock();
  const backoff = new Backoff({ minMs: 1000, maxMs: 1000, clock, random: () => 1 });
  const controller = new AbortController();
  const waiting = backoff.wait(controller.signal);
  expect(clock.sleeping).toBe(1);
  controller.abort();
  await waiting;
  expect(clock.sleeping).toBe(0);
});

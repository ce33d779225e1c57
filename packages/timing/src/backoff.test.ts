import fc from "fast-check";
import { expect, test } from "vitest";
import { Backoff } from "./backoff.ts";
import { sleep } from "./sleep.ts";
import { ManualClock } from "./testing/manual-clock.ts";

test("each delay lies below a bound that doubles up to the largest, until it is reset", () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })),
      (draws) => {
        const numbers = draws.values();
        const backoff = new Backoff({
          minMs: 100,
          maxMs: 5_000,
          random: () => numbers.next().value ?? 0,
        });
        let bound = 100;
        for (const draw of draws) {
          expect(backoff.nextMs()).toBe(draw * bound);
          bound = Math.min(bound * 2, 5_000);
        }
        backoff.reset();
        expect(backoff.nextMs()).toBeLessThan(100);
      },
    ),
  );
});

test("each delay is bounded by twice the one before, and all by the maximum", () => {
  const backoff = new Backoff({ minMs: 10, maxMs: 100, random: () => 1 });
  const delays = Array.from({ length: 6 }, () => backoff.nextMs());
  expect(delays).toEqual([10, 20, 40, 80, 100, 100]);
  backoff.reset();
  expect(backoff.nextMs()).toBe(10);
});

test("no number of failures makes a delay that is not a number within bounds", () => {
  fc.assert(
    fc.property(fc.nat(3000), fc.double({ min: 0, max: 1, noNaN: true }), (failures, jitter) => {
      const backoff = new Backoff({ minMs: 10, maxMs: 30_000, random: () => jitter });
      for (let count = 0; count < failures; count += 1) {
        backoff.nextMs();
      }
      const delay = backoff.nextMs();
      expect(delay).toBeGreaterThanOrEqual(0);
      expect(delay).toBeLessThanOrEqual(30_000);
    }),
    { numRuns: 50 },
  );
});

test("an abort ends the sleep between attempts at once and leaves nothing asleep", async () => {
  const clock = new ManualClock();
  const backoff = new Backoff({ minMs: 1000, maxMs: 1000, random: () => 1 });
  const controller = new AbortController();
  const waiting = sleep(clock, backoff.nextMs(), controller.signal);
  expect(clock.pending).toBe(1);
  controller.abort();
  await waiting;
  expect(clock.pending).toBe(0);
});

import { expect, test } from "vitest";
import { ReadingPace } from "./reading-pace.ts";

/** Reads as soon as it may, so often; how much of the time that took. */
function shareOfReading(durationsMs: readonly number[]): number {
  const pace = new ReadingPace();
  const [start, total] = [1000, durationsMs.reduce((sum, ms) => sum + ms, 0)];
  let now = start;
  for (const durationMs of durationsMs) {
    const startedAt = Math.max(now, pace.restUntil);
    now = startedAt + durationMs;
    pace.note({ startedAt, endedAt: now });
  }
  return total / (Math.max(now, pace.restUntil) - start);
}

test("the second reading comes at once, and the third after a rest", () => {
  const pace = new ReadingPace();
  pace.note({ startedAt: 1000, endedAt: 1100 });
  expect(pace.restUntil).toBe(1100);
  pace.note({ startedAt: 1100, endedAt: 1200 });
  expect(pace.restUntil).toBe(2100);
});

test("whoever reads whenever it may reads a tenth of the time", () => {
  expect(shareOfReading(Array.from({ length: 200 }, () => 20))).toBeLessThan(0.105);
  const mixed = Array.from({ length: 200 }, (_, index) => 10 + ((index * 37) % 90));
  expect(shareOfReading(mixed)).toBeLessThan(0.11);
});

test("after a quiet time it does not rest", () => {
  const pace = new ReadingPace();
  pace.note({ startedAt: 1000, endedAt: 1100 });
  pace.note({ startedAt: 1100, endedAt: 1200 });
  pace.note({ startedAt: 9000, endedAt: 9100 });
  expect(pace.restUntil).toBe(9100);
});

test("a very long reading does not keep the next one away for ever", () => {
  const pace = new ReadingPace();
  pace.note({ startedAt: 0, endedAt: 5000 });
  pace.note({ startedAt: 5000, endedAt: 10_000 });
  expect(pace.restUntil).toBe(20_000);
});

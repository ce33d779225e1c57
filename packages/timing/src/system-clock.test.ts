import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { systemClock } from "./system-clock.ts";

const DAY_MS = 86_400_000;

beforeEach(() => {
  vi.useFakeTimers({ now: Date.UTC(2026, 0, 1) });
});

afterEach(() => {
  vi.useRealTimers();
});

test("it tells wall time and a time that does not follow when the machine's clock is set", () => {
  expect(systemClock.now()).toBe(Date.UTC(2026, 0, 1));
  const before = systemClock.monotonic();
  vi.setSystemTime(Date.UTC(2025, 0, 1));
  expect(systemClock.now()).toBe(Date.UTC(2025, 0, 1));
  expect(systemClock.monotonic()).toBe(before);
});

test.each([
  { title: "a short delay", delayMs: 100 },
  { title: "the longest delay of a timer of Node", delayMs: 2 ** 31 - 1 },
  { title: "a delay beyond it", delayMs: 2 ** 31 },
  { title: "100 days", delayMs: 100 * DAY_MS },
])("it waits for $title, not less", ({ delayMs }) => {
  const callback = vi.fn<() => void>();
  systemClock.setTimer(callback, delayMs);
  vi.advanceTimersByTime(delayMs - 1);
  expect(callback).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(callback).toHaveBeenCalledTimes(1);
  expect(vi.getTimerCount()).toBe(0);
});

test.each([0, -5])("a delay of %d ms is over at once", (delayMs) => {
  const callback = vi.fn<() => void>();
  systemClock.setTimer(callback, delayMs);
  expect(callback).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(callback).toHaveBeenCalledTimes(1);
});

test.each([100, 100 * DAY_MS, Number.POSITIVE_INFINITY])(
  "a timer of %d ms can be cancelled while it waits",
  (delayMs) => {
    const callback = vi.fn<() => void>();
    const timer = systemClock.setTimer(callback, delayMs);
    vi.advanceTimersByTime(Math.min(delayMs - 1, 60 * DAY_MS));
    timer.cancel();
    timer.cancel();
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(200 * DAY_MS);
    expect(callback).not.toHaveBeenCalled();
  },
);

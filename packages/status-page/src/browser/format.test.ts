import { expect, test } from "vitest";
import { ago, bytes, count, duration } from "./format.ts";

/** Between a number and its unit no line ends. */
const unbroken = (text: string): string => text.replaceAll(/(?<=\d) /g, "\u00a0");

test.each([
  [0, "0 ms"],
  [0.042, "0.04 ms"],
  [4.21, "4.2 ms"],
  [999, "999 ms"],
  [1000, "1.0 s"],
  [59_400, "59 s"],
  [60_000, "1 min"],
  [250_000, "4 min 10 s"],
  [7_500_000, "2 h 5 min"],
  [86_400_000, "1 d"],
  [273_600_000, "3 d 4 h"],
])("%i ms is shown as %s", (ms, text) => {
  expect(duration(ms)).toBe(unbroken(text));
});

test.each([
  [0, "0", "0 B"],
  [999, "999", "999 B"],
  [1000, "1.0k", "1000 B"],
  [12_345, "12.3k", "12.1 kB"],
  [123_456, "123k", "121 kB"],
  [4_600_000, "4.6M", "4.4 MB"],
  [2e15, "2000T", "1819 TB"],
])("%i is shown as %s and as %s", (value, ofThings, ofBytes) => {
  expect([count(value), bytes(value)]).toEqual([ofThings, ofBytes]);
});

test("what happened later than now, by another clock, is not long ago", () => {
  expect(ago("2026-01-01T00:00:05Z", "2026-01-01T00:00:00Z")).toBe(unbroken("0 ms"));
  expect(ago("2026-01-01T00:00:00Z", "2026-01-01T02:05:00Z")).toBe(unbroken("2 h 5 min"));
});

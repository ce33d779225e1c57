import { expect, test } from "vitest";
import { parseLagLimit } from "./lag-limit.ts";

test.each([
  ["0", "bytes", 0],
  ["1048576", "bytes", 1_048_576],
  ["16kB", "bytes", 16_384],
  ["10MB", "bytes", 10_485_760],
  ["1.5 gb", "bytes", 1_610_612_736],
  ["1TB", "bytes", 1_099_511_627_776],
  ["7B", "bytes", 7],
  ["500ms", "ms", 500],
  ["10s", "ms", 10_000],
  ["2min", "ms", 120_000],
  ["2m", "ms", 120_000],
  ["1h", "ms", 3_600_000],
] as const)("%s is a lag in %s", (text, unit, max) => {
  expect(parseLagLimit(text)).toEqual({ unit, max });
});

test.each([
  "",
  " ",
  "MB",
  "-1",
  "1e3",
  "10XB",
  "10 M B",
  "1,5GB",
  "1..5MB",
  "10d",
  "９MB",
  "1".repeat(16),
])("%j is none", (text) => {
  expect(parseLagLimit(text)).toBeUndefined();
});

import { expect, test } from "vitest";
import { median } from "./median.ts";

test("the median of an odd number of samples is one of them", () => {
  expect(median([30, 1, 2])).toBe(2);
  expect(median([7])).toBe(7);
});

test("the median of an even number of samples is between two of them", () => {
  expect(median([40, 1, 3, 2])).toBe(2.5);
});

test("no samples have no median", () => {
  expect(() => median([])).toThrow(RangeError);
});

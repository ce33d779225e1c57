import { expect, test } from "vitest";
import { spreadOf } from "./spread.ts";

test("median and quartiles of an even and an odd number of samples", () => {
  expect(spreadOf([4, 1, 3, 2])).toEqual({
    median: 2.5,
    lowerQuartile: 1.75,
    upperQuartile: 3.25,
    min: 1,
    max: 4,
  });
  expect(spreadOf([5, 1, 3])).toMatchObject({ median: 3, lowerQuartile: 2, upperQuartile: 4 });
});

test("one sample is its own spread", () => {
  expect(spreadOf([7])).toEqual({ median: 7, lowerQuartile: 7, upperQuartile: 7, min: 7, max: 7 });
});

test("no sample has no spread", () => {
  expect(() => spreadOf([])).toThrow(RangeError);
});

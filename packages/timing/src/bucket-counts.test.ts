import { expect, test } from "vitest";
import { BucketCounts } from "./bucket-counts.ts";

test("a value is counted at the first bound that it does not exceed, and added up", () => {
  const counts = new BucketCounts([0.1, 1, 10]);
  for (const value of [0, 0.1, 0.25, 1, 9.75, 10, 11, 1000]) {
    counts.note(value);
  }
  expect(Array.from(counts.counts)).toEqual([2, 2, 2, 2]);
  expect(counts.sum).toBeCloseTo(1032.1);
});

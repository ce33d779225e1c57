import { expect, test } from "vitest";
import { percentile } from "./percentile.ts";

const BOUNDS = [1, 10, 100];

test.each([
  [0.5, [10, 0, 0, 0], 0.5],
  [0.5, [0, 10, 0, 0], 5.5],
  [0.99, [99, 0, 1, 0], 1],
  [0.995, [99, 0, 1, 0], 55],
  [1, [1, 1, 1, 0], 100],
  [0.5, [0, 0, 0, 4], 100],
])("percentile %f of %j is %f", (share, counts, ms) => {
  expect(percentile(share, counts, BOUNDS)).toBeCloseTo(ms, 5);
});

test("nothing has no percentile", () => {
  expect(percentile(0.5, [0, 0, 0, 0], BOUNDS)).toBeUndefined();
});

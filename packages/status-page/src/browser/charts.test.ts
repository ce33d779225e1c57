import { expect, test } from "vitest";
import { paths } from "./charts.ts";

test("the last value is at the right edge, and the top of the chart is the top", () => {
  expect(paths([0, 5, 10], 10).line).toBe("M177,38.0L178,20.0L179,2.0");
});

test("the area goes down to the ground below the line", () => {
  expect(paths([0, 10], 10).area).toBe("M178,40L178,38.0L179,2.0L179,40Z");
});

test("what is not known leaves a gap, and a value alone is a dot", () => {
  expect(paths([1, undefined, 1, 1], 1).line).toBe("M176,2.0h0.01M178,2.0L179,2.0");
  expect(paths([undefined], 1)).toEqual({ line: "", area: "" });
  expect(paths([], 1)).toEqual({ line: "", area: "" });
});

test("a value above the top stays inside", () => {
  expect(paths([20, 10], 10).line).toBe("M178,2.0L179,2.0");
});

import { expect, test } from "vitest";
import { DemandWindow } from "./demand-window.ts";

test("the peak is the highest of the last while, and then falls", () => {
  const window = new DemandWindow(6000);
  expect(window.peak(500)).toBe(0);
  window.note(3, 1000);
  window.note(7, 1500);
  window.note(2, 4000);
  expect(window.peak(4000)).toBe(7);
  expect(window.peak(6999)).toBe(7);
  expect(window.peak(7000)).toBe(2);
  expect(window.peak(10_000)).toBe(0);
  window.note(1, 100_000);
  expect(window.peak(100_000)).toBe(1);
});

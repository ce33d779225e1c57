import { expect, test } from "vitest";
import { Sharing } from "./sharing.ts";

const CORES = 2;

/** What it decides after so many runs of one statement each, whose times come by turns. */
function learned(...unitMs: readonly number[]): Sharing {
  const sharing = new Sharing(64, CORES);
  for (let run = 0; run < 2000; run += 1) {
    sharing.onRun(unitMs[run % unitMs.length] ?? 0, 1);
  }
  return sharing;
}

test("what is short goes deep, and onto no more backends than there are cores", () => {
  const sharing = learned(0.3);
  expect(sharing.useful).toBe(CORES);
  expect(sharing.depth).toBeGreaterThanOrEqual(6);
});

test("what needs the server for longer is spread over more backends than there are cores", () => {
  const sharing = learned(1);
  expect(sharing.useful).toBeGreaterThan(4 * CORES);
  expect(sharing.depth).toBeLessThanOrEqual(2);
});

test("where four of five runs wait for the CPU, the others tell how long a statement takes", () => {
  const sharing = learned(0.05, 0.3, 0.3, 0.3, 0.3);
  expect(sharing.useful).toBe(CORES);
  expect(sharing.depth).toBeGreaterThanOrEqual(16);
});

test("short statements among long ones are not put behind many of those", () => {
  const sharing = learned(0.05, 12, 12, 12);
  expect(sharing.depth).toBe(1);
  expect(sharing.useful).toBeGreaterThan(4 * CORES);
});

test("a depth of 1 stays", () => {
  const sharing = new Sharing(1, CORES);
  sharing.onRun(0.01, 1);
  expect(sharing.depth).toBe(1);
});

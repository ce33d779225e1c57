import { expect, test } from "vitest";
import { judge } from "./judgement.ts";
import type { Sample } from "./sampling.ts";

/** A soak of 60 looks at the memory. */
function samples(residentMib: (index: number) => number): Sample[] {
  return Array.from({ length: 60 }, (_, index) => ({
    minute: index,
    residentMib: residentMib(index),
    liveMib: 40,
    handles: 100,
    files: 90,
    clients: 30,
    servers: 20,
    rate: 300,
    cpuUs: 1000,
  }));
}

function faults(residentMib: (index: number) => number): string[] {
  return judge(samples(residentMib))
    .filter(({ isLevel }) => !isLevel)
    .map(({ label }) => label);
}

test("memory that grows all the time is no level", () => {
  expect(faults((index) => 200 + index * 2)).toEqual(["resident memory, MiB"]);
});

test("the warm-up, a moment of load and noise tell nothing", () => {
  expect(faults((index) => (index < 10 ? 100 : 200))).toEqual([]);
  expect(faults((index) => (index > 55 ? 900 : 200))).toEqual([]);
  expect(faults((index) => 200 + (index % 7) * 10)).toEqual([]);
});

test("what a statement costs while hardly any run tells nothing", () => {
  const judged = judge(
    samples(() => 200).map((sample, index) =>
      index % 3 === 0 ? { ...sample, rate: 2, cpuUs: 90_000 } : sample,
    ),
  );
  expect(judged.every(({ isLevel }) => isLevel)).toBe(true);
});

test("a soak too short to be judged is no level", () => {
  expect(judge(samples(() => 200).slice(0, 2)).every(({ isLevel }) => !isLevel)).toBe(true);
});

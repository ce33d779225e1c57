import { expect, test } from "vitest";
import { runLoad } from "./load.ts";
import { Works } from "./work.ts";

const WORKS = new Works((work) => JSON.stringify(work));

test("the percentiles are those of all work", async () => {
  let clock = 0;
  let calls = 0;
  // The n-th piece of work takes n milliseconds.
  const caller = async (): Promise<void> => {
    calls += 1;
    clock += calls;
  };
  const load = { caseName: "select", callers: 1, times: 100 } as const;
  expect(await runLoad(load, WORKS, [caller], () => clock)).toEqual({
    elapsedMs: 5050,
    p50Us: 50_000,
    p99Us: 99_000,
  });
});

test("as many callers as the load says share its work, each with one piece at a time", async () => {
  const underWay = [0, 0, 0];
  const seen: string[][] = [[], [], []];
  const callers = underWay.map((_, caller) => async (work: string): Promise<void> => {
    underWay[caller] = (underWay[caller] ?? 0) + 1;
    expect(underWay[caller]).toBe(1);
    seen[caller]?.push(work);
    await Promise.resolve();
    underWay[caller] = (underWay[caller] ?? 0) - 1;
  });
  await runLoad({ caseName: "update", callers: 2, times: 9 }, WORKS, callers);
  expect(seen[2]).toEqual([]);
  expect(seen.flat()).toHaveLength(9);
  expect(seen[0]?.length).toBeGreaterThan(3);
  expect(seen[1]?.[0]).toBe(WORKS.at("update", 1, 0));
});

test("a caller that fails ends the load", async () => {
  const caller = (): Promise<void> => Promise.reject(new Error("no answer"));
  const load = { caseName: "rows", callers: 1, times: 3 } as const;
  await expect(runLoad(load, WORKS, [caller])).rejects.toThrow("no answer");
});

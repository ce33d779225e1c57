import { expect, test } from "vitest";
import { runLoad } from "./load.ts";
import { Statements } from "./statements.ts";

const STATEMENTS = new Statements((sql) => sql);

test("the percentiles are those of all statements", async () => {
  let clock = 0;
  let calls = 0;
  // The n-th statement takes n milliseconds.
  const caller = async (): Promise<void> => {
    calls += 1;
    clock += calls;
  };
  const load = { caseName: "select", callers: 1, statements: 100 } as const;
  expect(await runLoad(load, STATEMENTS, [caller], () => clock)).toEqual({
    p50Us: 50_000,
    p99Us: 99_000,
  });
});

test("as many callers as the load says share its statements, each with one under way", async () => {
  const underWay = [0, 0, 0];
  const seen: string[][] = [[], [], []];
  const callers = underWay.map((_, caller) => async (sql: string): Promise<void> => {
    underWay[caller] = (underWay[caller] ?? 0) + 1;
    expect(underWay[caller]).toBe(1);
    seen[caller]?.push(sql);
    await Promise.resolve();
    underWay[caller] = (underWay[caller] ?? 0) - 1;
  });
  await runLoad({ caseName: "update", callers: 2, statements: 9 }, STATEMENTS, callers);
  expect(seen[2]).toEqual([]);
  expect(seen.flat()).toHaveLength(9);
  expect(seen[0]?.length).toBeGreaterThan(3);
  expect(seen[1]?.[0]).toBe(STATEMENTS.at("update", 1, 0));
});

test("a caller that fails ends the load", async () => {
  const caller = (): Promise<void> => Promise.reject(new Error("no answer"));
  const load = { caseName: "rows", callers: 1, statements: 3 } as const;
  await expect(runLoad(load, STATEMENTS, [caller])).rejects.toThrow("no answer");
});

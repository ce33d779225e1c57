import { expect, test } from "vitest";
import { interleavedRounds } from "./interleaved-rounds.ts";

const CONTENDERS = [{ name: "a" }, { name: "b" }, { name: "c" }];

test("each contender has its turn in each round, and each begins as often as the others", async () => {
  const turns: string[] = [];
  const samples = await interleavedRounds(CONTENDERS, { rounds: 3 }, ({ name }) => {
    turns.push(name);
    return Promise.resolve({ tps: turns.length });
  });
  expect(turns.join("")).toBe("abcbcacab");
  expect(samples.get("a")).toEqual([{ tps: 1 }, { tps: 6 }, { tps: 8 }]);
});

test("rounds that warm up do not count", async () => {
  let taken = 0;
  const samples = await interleavedRounds(
    CONTENDERS.slice(0, 1),
    { rounds: 2, warmUpRounds: 1 },
    () => Promise.resolve({ tps: (taken += 1) }),
  );
  expect(samples).toEqual(new Map([["a", [{ tps: 2 }, { tps: 3 }]]]));
});

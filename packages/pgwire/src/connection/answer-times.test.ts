import { expect, test } from "vitest";
import { ANSWER_TIME_BOUNDS_MS, AnswerTimes } from "./answer-times.ts";

test("an answer is counted at the first bound that it does not exceed", () => {
  const times = new AnswerTimes();
  for (const ms of [0, 0.1, 0.11, 1, 9.99, 10, 10_000, 10_001, 1e9]) {
    times.note(ms);
  }
  const counted = [...ANSWER_TIME_BOUNDS_MS, Infinity]
    .map((bound, index) => [bound, times.counts[index]] as const)
    .filter(([, count]) => count !== 0);
  expect(counted).toEqual([
    [0.1, 2],
    [0.25, 1],
    [1, 1],
    [10, 2],
    [10_000, 1],
    [Infinity, 2],
  ]);
});

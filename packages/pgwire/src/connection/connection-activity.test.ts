import { afterEach, expect, test, vi } from "vitest";
import {
  ANSWER_TIME_BOUNDS_MS,
  ConnectionActivity,
  ROW_COUNT_BOUNDS,
} from "./connection-activity.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

function setUp(): { activity: ConnectionActivity; at: (ms: number) => void } {
  let now = 1000;
  vi.spyOn(performance, "now").mockImplementation(() => now);
  return { activity: new ConnectionActivity(), at: (ms) => void (now = 1000 + ms) };
}

const OUTSIDE = { isInTransaction: false };
const INSIDE = { isInTransaction: true };

test("a transaction lasts from its first request to its last answer, waits of the client included", () => {
  const { activity, at } = setUp();
  activity.begin(OUTSIDE);
  at(2);
  activity.answered(INSIDE);
  at(10);
  activity.begin(INSIDE);
  at(11);
  activity.answered(OUTSIDE);
  expect(activity.figures).toMatchObject({
    requests: 2,
    transactions: 1,
    busyMs: 3,
    transactionMs: 11,
  });
});

test("requests in flight together are busy one behind the other", () => {
  const { activity, at } = setUp();
  activity.begin(OUTSIDE);
  at(5);
  activity.answered(OUTSIDE);
  at(9);
  activity.answered(OUTSIDE);
  expect(activity.figures).toMatchObject({
    requests: 2,
    transactions: 2,
    busyMs: 9,
    transactionMs: 9,
  });
  expect(activity.figures.requestedAt).toBe(performance.timeOrigin + 1009);
});

/** What was counted, by the bound. */
function counted(bounds: readonly number[], counts: ArrayLike<number>): [number, number][] {
  return [...bounds, Infinity]
    .map((bound, index): [number, number] => [bound, counts[index] ?? 0])
    .filter(([, count]) => count !== 0);
}

test("requests are counted by their time and their rows, and those that failed once more", () => {
  const { activity, at } = setUp();
  activity.begin(OUTSIDE);
  at(2);
  activity.received(1);
  activity.received(2);
  activity.answered(OUTSIDE);
  activity.failed("22012");
  activity.failed("25P02");
  at(22);
  activity.answered(OUTSIDE);
  at(24);
  activity.received(20_000);
  activity.answered(OUTSIDE);
  const { answerTimes, failedTimes, failedMs, rowCounts, rows } = activity.figures;
  expect(counted(ANSWER_TIME_BOUNDS_MS, answerTimes)).toEqual([
    [2.5, 2],
    [25, 1],
  ]);
  expect(counted(ANSWER_TIME_BOUNDS_MS, failedTimes)).toEqual([[25, 1]]);
  expect(failedMs).toBe(20);
  expect(counted(ROW_COUNT_BOUNDS, rowCounts)).toEqual([
    [0, 1],
    [5, 1],
    [Infinity, 1],
  ]);
  expect(rows).toBe(20_003);
});

test("what is left of the time without that of failed requests never gets less", () => {
  const { activity, at } = setUp();
  let ms = 0;
  let leftMs = 0;
  const falls: number[] = [];
  activity.begin(OUTSIDE);
  for (let request = 0; request < 200; request += 1) {
    ms += 0.1 + request * 7;
    at(ms);
    if (request % 3 !== 0) {
      activity.failed("22012");
    }
    activity.answered(OUTSIDE);
    const { busyMs, failedMs } = activity.figures;
    if (busyMs - failedMs < leftMs) {
      falls.push(request);
    }
    leftMs = busyMs - failedMs;
  }
  expect(falls).toEqual([]);
});

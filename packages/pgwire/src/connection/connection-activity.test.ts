import { afterEach, expect, test, vi } from "vitest";
import { ConnectionActivity } from "./connection-activity.ts";

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
  expect(activity).toMatchObject({ requests: 2, transactions: 1, busyMs: 3, transactionMs: 11 });
});

test("requests in flight together are busy one behind the other", () => {
  const { activity, at } = setUp();
  activity.begin(OUTSIDE);
  at(5);
  activity.answered(OUTSIDE);
  at(9);
  activity.answered(OUTSIDE);
  expect(activity).toMatchObject({ requests: 2, transactions: 2, busyMs: 9, transactionMs: 9 });
  expect(activity.requestedAt).toBe(performance.timeOrigin + 1009);
});

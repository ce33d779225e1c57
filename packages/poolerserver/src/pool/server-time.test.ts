import { expect, test } from "vitest";
import { ServerTime } from "./server-time.ts";

test.each([
  { title: "a pooler that only waits knows it all", tookMs: 30, waitedMs: 30, workMs: 0, is: 30 },
  { title: "what the pooler works is not the server's", tookMs: 5, waitedMs: 2, workMs: 2, is: 2 },
  { title: "of a busy one, a turn at each end is", tookMs: 50, waitedMs: 0, workMs: 20, is: 10 },
  { title: "what it has not looked for took no time", tookMs: 30, waitedMs: 0, workMs: 20, is: 0 },
])("$title", ({ tookMs, waitedMs, workMs, is }) => {
  const time = new ServerTime();
  time.begin(100, { waitedMs: () => 70, workMs: () => workMs });
  expect(time.since).toBe(100);
  const later = { waitedMs: () => 70 + waitedMs, workMs: () => workMs };
  expect(time.leastMs(100 + tookMs, later)).toBe(is);
});

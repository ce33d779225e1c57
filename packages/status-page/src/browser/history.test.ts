import { expect, test } from "vitest";
import type { WorkSample } from "../report.ts";
import { History, SPAN_SECONDS } from "./history.ts";

function sample(atMs: number): WorkSample {
  return {
    atMs,
    requests: 1,
    transactions: 0,
    errors: 0,
    times: undefined,
    used: 0,
    waiting: 0,
    longestWaitMs: 0,
    bytes: 0,
    lagMs: undefined,
  };
}

test("it goes on where the pooler's own memory ends, and forgets what is older than the charts", () => {
  const history = new History();
  history.replace(Array.from({ length: SPAN_SECONDS + 5 }, (_, index) => sample(index)));
  expect(history.samples).toHaveLength(SPAN_SECONDS);
  expect(history.samples[0]?.atMs).toBe(5);
  history.add(sample(1000));
  expect(history.samples).toHaveLength(SPAN_SECONDS);
  expect(history.samples.at(-1)?.atMs).toBe(1000);
});

test("a second that is told twice counts once", () => {
  const history = new History();
  history.add(sample(1));
  history.add(sample(1));
  expect(history.samples).toHaveLength(1);
});

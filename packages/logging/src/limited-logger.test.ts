import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { LimitedLogger } from "./limited-logger.ts";

const PERIOD_MS = 60_000;

let lines: unknown[];
let logger: LimitedLogger;

beforeEach(() => {
  vi.useFakeTimers();
  lines = [];
  const logAs = (level: string) => (fields: object, message: string) => {
    lines.push([level, fields, message]);
  };
  logger = new LimitedLogger({
    debug: logAs("debug"),
    info: logAs("info"),
    warn: logAs("warn"),
    error: logAs("error"),
  });
});

afterEach(() => {
  vi.useRealTimers();
});

test("the first line of a kind is logged at once, the others as a number after a minute", () => {
  for (let call = 0; call < 500; call += 1) {
    logger.warn({ call }, "bad header");
  }
  expect(lines).toEqual([["warn", { call: 0 }, "bad header"]]);
  vi.advanceTimersByTime(PERIOD_MS);
  expect(lines.slice(1)).toEqual([["warn", { call: 499, repeated: 499 }, "bad header"]]);
});

test("a flood that goes on is one line a minute", () => {
  for (let second = 0; second < 180; second += 1) {
    logger.error({}, "failed");
    vi.advanceTimersByTime(1000);
  }
  expect(lines).toEqual([
    ["error", {}, "failed"],
    ["error", { repeated: 59 }, "failed"],
    ["error", { repeated: 60 }, "failed"],
    ["error", { repeated: 60 }, "failed"],
  ]);
});

test("after a quiet minute the next line is logged at once", () => {
  logger.warn({}, "bad header");
  vi.advanceTimersByTime(PERIOD_MS);
  logger.warn({}, "bad header");
  expect(lines).toEqual([
    ["warn", {}, "bad header"],
    ["warn", {}, "bad header"],
  ]);
});

test("failures of different methods do not hide each other", () => {
  logger.error({ method: "a" }, "failed");
  logger.error({ method: "a" }, "failed");
  logger.error({ method: "b" }, "failed");
  expect(lines).toHaveLength(2);
});

test("kinds do not hide each other, and lower levels are not limited", () => {
  logger.warn({}, "one");
  logger.error({}, "two");
  logger.info({}, "three");
  logger.info({}, "three");
  logger.debug({}, "four");
  logger.debug({}, "four");
  expect(lines).toHaveLength(6);
});

test("a flush logs the counts, leaves no timer and starts afresh", () => {
  logger.warn({}, "one");
  logger.warn({}, "one");
  logger.warn({}, "two");
  logger.flush();
  expect(lines.slice(2)).toEqual([["warn", { repeated: 1 }, "one"]]);
  expect(vi.getTimerCount()).toBe(0);
  logger.warn({}, "one");
  expect(lines).toHaveLength(4);
});

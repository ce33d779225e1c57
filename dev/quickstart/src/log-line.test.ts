import { expect, test } from "vitest";
import { readableLogLine } from "./log-line.ts";

const ENTRY = { level: 40, time: "2026-01-02T03:04:05.678Z", msg: "connecting fails" };

test("shows a warning with its time and fields, without the error's stack", () => {
  const line = { ...ENTRY, component: "manager", err: { stack: "at x" }, attempts: 2, from: "up" };
  expect(readableLogLine(JSON.stringify(line))).toMatch(
    /^\d\d:04:05 connecting fails attempts=2 from=up$/,
  );
});

test("leaves out what is below a warning, and empty lines", () => {
  expect(readableLogLine(JSON.stringify({ ...ENTRY, level: 30 }))).toBeUndefined();
  expect(readableLogLine("")).toBeUndefined();
});

test.each(["multipooler: port in use", "42", '{"level":"x"}'])("keeps %j as it is", (line) => {
  expect(readableLogLine(line)).toBe(line);
});

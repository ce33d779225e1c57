import { ManualClock } from "@multipooler/timing/testing";
import { expect, test } from "vitest";
import { RecordingLogger } from "../test/recording-logger.ts";
import { FailureLog } from "./failure-log.ts";

test("a failure is logged when it begins, when its reason changes, and after growing silences", async () => {
  const clock = new ManualClock();
  const logger = new RecordingLogger();
  const log = new FailureLog({ clock, logger, what: "knitting" });
  const loggedAt: number[] = [];
  const start = clock.now();
  for (let second = 0; second <= 20; second += 1) {
    const before = logger.lines.length;
    log.failed(new Error(second < 16 ? "no wool" : "no needle"));
    if (logger.lines.length > before) {
      loggedAt.push(clock.now() - start);
    }
    await clock.advance(1_000);
  }
  expect(loggedAt).toEqual([0, 1_000, 3_000, 7_000, 15_000, 16_000]);
  expect(logger.messages("warn")[0]).toBe("knitting fails: no wool");
  expect(logger.messages("warn").at(-1)).toBe("knitting fails: no needle");
});

test.each([
  ["back", -3_600_000],
  ["forward", 3_600_000],
])("a clock that is set %s changes neither silences nor durations", async (_case, shiftMs) => {
  const clock = new ManualClock();
  const logger = new RecordingLogger();
  const log = new FailureLog({ clock, logger, what: "knitting" });
  log.failed(new Error("no wool"));
  clock.shiftWallTime(shiftMs);
  await clock.advance(500);
  log.failed(new Error("no wool"));
  expect(logger.messages("warn")).toHaveLength(1);
  await clock.advance(500);
  log.failed(new Error("no wool"));
  clock.shiftWallTime(shiftMs);
  log.succeeded();
  expect(logger.lines.map(({ fields }) => fields)).toMatchObject([
    { attempts: 1, failingForMs: 0 },
    { attempts: 3, failingForMs: 1_000 },
    { attempts: 3, failedForMs: 1_000 },
  ]);
});

test("that it works again is logged once, with how long it did not", async () => {
  const clock = new ManualClock();
  const logger = new RecordingLogger();
  const log = new FailureLog({ clock, logger, what: "knitting" });
  log.succeeded();
  log.failed(new Error("no wool"));
  await clock.advance(500);
  log.failed(new Error("no wool"));
  log.succeeded();
  log.succeeded();
  expect(logger.lines.filter(({ level }) => level === "info")).toEqual([
    { level: "info", message: "knitting works again", fields: { attempts: 2, failedForMs: 500 } },
  ]);
});

test("an error of several lines is logged as one", () => {
  const logger = new RecordingLogger();
  new FailureLog({ clock: new ManualClock(), logger, what: "knitting" }).failed("no wool\nat all");
  expect(logger.messages("warn")).toEqual(["knitting fails: no wool"]);
});

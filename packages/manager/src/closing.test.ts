import { ManualClock } from "@multipooler/timing/testing";
import { expect, test } from "vitest";
import { RecordingLogger } from "../test/recording-logger.ts";
import { Closing } from "./closing.ts";
import { ManagerErrorCode } from "./manager-error.ts";

test("a step that hangs is told to hurry and then passed over", async () => {
  const clock = new ManualClock();
  const logger = new RecordingLogger();
  const closing = new Closing({ clock, logger });
  let hurried = false;
  const step = closing.step({
    what: "closing the door",
    ms: 100,
    essential: true,
    run: (signal) => {
      signal.addEventListener("abort", () => {
        hurried = true;
      });
      return new Promise(() => undefined);
    },
  });
  await clock.advance(100);
  await step;
  expect(hurried).toBe(true);
  expect(logger.messages("warn")).toEqual([
    "closing the door: closing the door took longer than 100 ms",
  ]);
  expect(() => closing.finish()).toThrow(
    "cannot close everything: closing the door: closing the door took longer than 100 ms",
  );
});

test("only what is essential counts in the end", async () => {
  const clock = new ManualClock();
  const fail = async (): Promise<void> => {
    throw new Error("stuck");
  };
  const courtesy = new Closing({ clock, logger: new RecordingLogger() });
  await courtesy.step({ what: "waving", ms: 100, essential: false, run: fail });
  courtesy.finish();

  const closing = new Closing({ clock, logger: new RecordingLogger() });
  await closing.step({ what: "closing the door", ms: 100, essential: true, run: fail });
  await closing.step({ what: "waving", ms: 100, essential: false, run: fail });
  await closing.step({ what: "closing the gate", ms: 100, essential: true, run: fail });
  expect(() => closing.finish()).toThrow(
    expect.objectContaining({
      code: ManagerErrorCode.CloseFailed,
      message: "cannot close everything: closing the door: stuck; closing the gate: stuck",
    }),
  );
  expect(clock.pending).toBe(0);
});

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { hasEnded, ownProcess, processOf } from "./process-identity.ts";

const hasProc = existsSync("/proc/self/stat");

test("a process that runs has not ended, as far as anybody can tell", () => {
  expect(hasEnded(ownProcess(), ownProcess())).toBe(false);
});

test("what cannot be looked up from here has not ended", () => {
  const own = ownProcess();
  const nowhere = { ...own, space: "" };
  expect(hasEnded({ ...own, space: "another machine", pid: 1 }, own)).toBe(false);
  expect(hasEnded({ ...nowhere, startTime: "0" }, nowhere)).toBe(false);
});

test.runIf(hasProc)("a process that was killed has ended", async () => {
  const child = spawn("sleep", ["60"]);
  await once(child, "spawn");
  const subject = processOf(child.pid ?? 0);
  expect(hasEnded(subject, ownProcess())).toBe(false);
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(hasEnded(subject, ownProcess())).toBe(true);
});

test.runIf(hasProc)("a later process of the same PID is another one", () => {
  const own = ownProcess();
  expect(hasEnded({ ...own, startTime: "0" }, own)).toBe(true);
});

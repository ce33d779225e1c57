import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { runStep, StepFailure } from "./step.mjs";

const env = process.env;

test("returns what a step prints", async () => {
  expect(await runStep("greeting", process.execPath, ["-e", "console.log('hello')"], { env })).toBe(
    "hello\n",
  );
});

test("fails with the whole output and the exit code of a step", async () => {
  const script = "console.log('one\\ntwo'); process.exitCode = 3";
  const failure = runStep("counting", process.execPath, ["-e", script], { env });
  await expect(failure).rejects.toThrow(new StepFailure("one\ntwo\ncounting: failed", 3));
  await expect(failure).rejects.toMatchObject({ exitCode: 3 });
});

test("says which step needs a program that is not there", async () => {
  await expect(runStep("fetching", "/does/not/exist", [], { env })).rejects.toThrow(
    "fetching: spawn /does/not/exist ENOENT",
  );
});

test("explains itself when it is asked for a command that it does not know", () => {
  const bootstrap = fileURLToPath(new URL("../bootstrap.mjs", import.meta.url));
  const { status, stderr } = spawnSync(process.execPath, [bootstrap, "strat"], {
    encoding: "utf8",
  });
  expect(stderr).toMatch(/^usage: .*<start\|test\|check\|bench\|soak\|compat\|release\|ctl>/);
  expect(status).toBe(2);
});

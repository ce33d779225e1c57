import { spawnSync } from "node:child_process";
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, test, vi } from "vitest";

const repository = join(import.meta.dirname, "../..");

interface Run {
  readonly lines: readonly string[];
  readonly code: number | null;
}

/** Runs scripts/test.ts over a folder with one package that holds the given tests. */
function runOver(sources: Readonly<Record<string, string>>, ...args: string[]): Run {
  const root = mkdtempSync(join(tmpdir(), "test-run-"));
  try {
    symlinkSync(join(repository, "node_modules"), join(root, "node_modules"));
    mkdirSync(join(root, "src"));
    for (const [name, source] of Object.entries(sources)) {
      writeFileSync(join(root, "src", name), `${IMPORTS}\n${source}\n`);
    }
    const script = join(repository, "scripts", "test.ts");
    const { stdout, status } = spawnSync(process.execPath, [script, "--root", root, ...args], {
      encoding: "utf8",
      env: { ...process.env, NO_COLOR: "1" },
    });
    return { lines: stdout.trimEnd().split("\n"), code: status };
  } finally {
    rmSync(root, { recursive: true });
  }
}

const IMPORTS = 'import { afterAll, beforeAll, describe, expect, test } from "vitest";';
const PASSING = 'test("passes", () => expect(1).toBe(1));';

test("counts passed tests and ends with 0", () => {
  const run = runOver({
    "a.test.ts": PASSING,
    "b.test.ts": `describe("group", () => {\n${PASSING}\n${PASSING}\n});`,
  });
  expect(run.lines.at(-1)).toBe("3 passed, 0 failed");
  expect(run.code).toBe(0);
});

test.each([
  ["a failed test", 'test("fails", () => expect(1).toBe(2));', "src/a.test.ts: fails"],
  ["a file that does not load", 'import "./nowhere.ts";', "src/a.test.ts: the file failed"],
  ["a file without tests", "export const a = 1;", "src/a.test.ts: the file failed"],
  [
    "a hook that throws after the tests",
    `afterAll(() => { throw new Error("late"); });\n${PASSING}`,
    "src/a.test.ts: the file failed",
  ],
  [
    "a hook of a group that throws",
    `describe("group", () => {\nbeforeAll(() => { throw new Error("early"); });\n${PASSING}\n});`,
    'src/a.test.ts: "group" failed',
  ],
  [
    "an error that no test catches",
    'test("leaks", async () => {\nvoid Promise.reject(new Error("lost"));\nawait new Promise(setImmediate);\n});',
    "an unhandled error",
  ],
  [
    "a worker that dies",
    'test("dies", () => { process.kill(process.pid, "SIGKILL"); });',
    "src/a.test.ts: did not finish",
  ],
])("counts as a failure: %s", (_title, source, mention) => {
  const run = runOver({ "a.test.ts": source, "b.test.ts": PASSING });
  expect(run.lines.at(-1)).toMatch(/^[12] passed, [1-9] failed$/);
  expect(run.lines.join("\n")).toContain(mention);
  expect(run.code).toBe(1);
});

test("a run without any test is a failure", () => {
  const run = runOver({});
  expect(run.lines.at(-1)).toBe("0 passed, 1 failed");
  expect(run.code).toBe(1);
});

test("only skipped tests are a failure, and skipped tests are named", () => {
  const run = runOver({ "a.test.ts": 'test.skip("not now", () => expect(1).toBe(1));' });
  expect(run.lines).toContain("  src/a.test.ts: not now");
  expect(run.lines.at(-1)).toBe("0 passed, 1 failed");
  expect(run.code).toBe(1);
});

test("arguments go to vitest", () => {
  const sources = { "a.test.ts": PASSING, "b.test.ts": 'test("fails", () => expect(1).toBe(2));' };
  expect(runOver(sources, "a.test").lines.at(-1)).toBe("1 passed, 0 failed");
});

test.runIf(existsSync("/proc"))(
  "a process that a test leaves behind is a failure and is ended",
  async () => {
    const run = runOver({
      "a.test.ts": `import { spawn } from "node:child_process";
test("leaves", () => {
  const child = spawn("sleep", ["300"], { detached: true, stdio: "ignore" });
  child.unref();
  expect(child.pid).toBeGreaterThan(0);
});`,
    });
    const [, pid] = /left behind: sleep 300 \(PID (\d+)\)/.exec(run.lines.join("\n")) ?? [];
    expect(run.lines.at(-1)).toBe("1 passed, 1 failed");
    expect(Number(pid)).toBeGreaterThan(0);
    // Gone, or a zombie that nobody has collected yet.
    await vi.waitFor(() => expect(globSync(`/proc/${pid}/cwd/*`)).toEqual([]));
  },
);

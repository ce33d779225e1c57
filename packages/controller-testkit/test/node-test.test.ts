import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

test("the contract runs under Node's test runner, and every test passes", async () => {
  const file = join(import.meta.dirname, "child", "node-test-contract.ts");
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const args = ["--test", "--test-reporter=tap", file];
  const { stdout } = await promisify(execFile)(process.execPath, args, { env });
  const count = (what: string): number =>
    Number(new RegExp(`^# ${what} (\\d+)$`, "m").exec(stdout)?.[1]);
  expect(count("tests")).toBeGreaterThan(60);
  expect(count("pass")).toBe(count("tests"));
});

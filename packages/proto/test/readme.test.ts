import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const directory = join(import.meta.dirname, "..");

// Runs against dist, as a user of the package would.
test("the snippet of the README prints what it says", async () => {
  const readme = await readFile(join(directory, "README.md"), "utf8");
  const snippet = /```ts\n(?<code>.*?)```/su.exec(readme)?.groups?.["code"] ?? "";
  const promised = [...snippet.matchAll(/^console\.log.*; \/\/ (?<output>.*)$/gmu)];
  const args = ["--input-type=module-typescript", "--eval", snippet];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: directory });
  expect(promised.length).toBeGreaterThan(0);
  expect(stdout.trimEnd().split("\n")).toEqual(promised.map((line) => line.groups?.["output"]));
});

import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { temporaryDirectory } from "./temporary-directory.ts";

test("the snippet of the README prints how many poolers there are", async () => {
  await using temporary = await temporaryDirectory();
  const directory = join(import.meta.dirname, "..");
  const readme = await readFile(join(directory, "README.md"), "utf8");
  const snippet = /```ts\n(?<code>.*?)```/su.exec(readme)?.groups?.["code"] ?? "";
  const env = { ...process.env, TOPOLOGY: join(temporary.path, "topology.db") };
  const args = ["--input-type=module-typescript", "--eval", snippet];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: directory, env });
  expect(stdout).toBe("0 poolers\n");
});

import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { startPostgres } from "@multipooler/test-postgres";
import { expect, test } from "vitest";

const directory = join(import.meta.dirname, "..");

// Runs against dist, as a user of the package would.
test("the snippet of the README prints what it says", async () => {
  await using postgres = await startPostgres({ auth: "scram-sha-256", password: "postgres" });
  const readme = await readFile(join(directory, "README.md"), "utf8");
  const snippet = /```ts\n(?<code>.*?)```/su.exec(readme)?.groups?.["code"] ?? "";
  const promised = /^It prints (?<lines>.*)\.$/mu.exec(readme)?.groups?.["lines"] ?? "";
  const code = snippet.replace("5432", `${postgres.port}`);
  const args = ["--input-type=module-typescript", "--eval", code];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: directory });
  const expected = [...promised.matchAll(/`([^`]+)`/g)].map(([, line]) => line);
  expect(expected).toHaveLength(4);
  expect(stdout.trimEnd().split("\n")).toEqual(expected);
});

import { encodeFields, encodeCommandTag } from "@multipooler/query-service";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { dataRow, textFields } from "./data-rows.ts";
import { FakePoolerError } from "./fake-manager.ts";
import { startServer } from "./test-server.ts";

const directory = join(import.meta.dirname, "..");

/** Runs the first snippet of the README against dist, as a user of the package would. */
async function runSnippet(address: string): Promise<string> {
  const readme = await readFile(join(directory, "README.md"), "utf8");
  const snippet = /```ts\n(?<code>.*?)```/su.exec(readme)?.groups?.["code"] ?? "";
  const args = ["--input-type=module-typescript", "--eval", snippet];
  const env = { ...process.env, POOLER: address };
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: directory, env });
  return stdout;
}

test("the snippet of the README prints the tag of its query, or what went wrong", async () => {
  await using pooler = await startServer();
  pooler.manager.execute = async ({ statement }, sink) => {
    expect(statement).toEqual({ type: "simple", sql: "select 1" });
    await sink.write({ type: "fields", bytes: encodeFields(textFields("?column?")) });
    await sink.write({ type: "rows", bytes: dataRow("1"), rowCount: 1, inProgress: false });
    await sink.write({ type: "complete", bytes: encodeCommandTag("SELECT 1") });
  };
  expect(await runSnippet(pooler.address)).toBe("SELECT 1\n");
  pooler.manager.execute = async () => {
    throw new FakePoolerError("CONNECTION_LOST", "the connection broke");
  };
  expect(await runSnippet(pooler.address)).toBe("UNKNOWN 08006 the connection broke\n");
});

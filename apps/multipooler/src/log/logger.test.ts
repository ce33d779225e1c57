import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { openLog } from "./logger.ts";

const directory = mkdtempSync(join(tmpdir(), "multipooler-logger-"));
afterAll(() => rmSync(directory, { recursive: true }));

const TEXT = /^\S+Z INFO HTTP listens port=15200\r?\n$/;
const JSON_LINE = /^\{"level":30,"time":"\S+","port":15200,"msg":"HTTP listens"\}\r?\n$/;

test.each([
  ["auto", JSON_LINE],
  ["json", JSON_LINE],
  ["text", TEXT],
] as const)("the format %s in a file", async (logFormat, line) => {
  const path = join(directory, logFormat);
  await using log = openLog({ logLevel: "info", logFormat, logOutput: path }, () => undefined);
  log.logger.info({ port: 15_200 }, "HTTP listens");
  expect(readFileSync(path, "utf8")).toMatch(line);
});

// The `script` of util-linux runs a program on a terminal.
test.skipIf(process.platform !== "linux").each([
  ["auto", TEXT],
  ["json", JSON_LINE],
  ["text", TEXT],
] as const)("the format %s on a terminal", (logFormat, line) => {
  const program = join(directory, `${logFormat}.mjs`);
  const options = JSON.stringify({ logLevel: "info", logFormat, logOutput: "stdout" });
  const module = JSON.stringify(new URL("logger.ts", import.meta.url));
  writeFileSync(
    program,
    `import { openLog } from ${module};
     openLog(${options}, () => undefined).logger.info({ port: 15200 }, "HTTP listens");`,
  );
  const command = `${process.execPath} ${program}`;
  const shown = execFileSync("script", ["-q", "-e", "-c", command, "/dev/null"], {
    stdio: ["ignore", "pipe", "inherit"],
    encoding: "utf8",
  });
  expect(shown).toMatch(line);
});

test("reopened, the log goes on in a new file, and in the one before where that cannot be", async () => {
  const path = join(directory, "rotated");
  const options = { logLevel: "info", logFormat: "json", logOutput: path } as const;
  await using log = openLog(options, () => undefined);
  log.logger.info("one");
  renameSync(path, `${path}.1`);
  log.logger.info("two");
  log.reopen();
  log.logger.info("three");
  expect(messagesOf(`${path}.1`)).toEqual(["one", "two"]);
  expect(messagesOf(path)).toEqual(["three"]);
  renameSync(path, `${path}.2`);
  mkdirSync(path);
  log.reopen();
  log.logger.info("four");
  expect(messagesOf(`${path}.2`)).toEqual([
    "three",
    "the log goes on in the file as it was opened",
    "four",
  ]);
});

test("JSON has no control character either, and means the same", async () => {
  const path = join(directory, "controls");
  const options = { logLevel: "info", logFormat: "json", logOutput: path } as const;
  await using log = openLog(options, () => undefined);
  log.logger.info("\u001b[2J \u009b2J \u007f");
  expect(readFileSync(path, "utf8")).toMatch(/^[\u0020-\u007e]+\n$/);
  expect(messagesOf(path)).toEqual(["\u001b[2J \u009b2J \u007f"]);
});

function messagesOf(path: string): readonly unknown[] {
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  return lines.map((line) => {
    const parsed: unknown = JSON.parse(line);
    return typeof parsed === "object" && parsed !== null && "msg" in parsed
      ? parsed.msg
      : undefined;
  });
}

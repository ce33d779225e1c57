import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { ConfigError } from "./settings/config.ts";
import { writePidFile } from "./pid-file.ts";

const directory = mkdtempSync(join(tmpdir(), "multipooler pid-file "));
afterAll(() => rmSync(directory, { recursive: true }));
const path = join(directory, "pid");

test("the file holds the PID, also over an old one, and goes with the process", () => {
  writeFileSync(path, "1\n");
  {
    using _file = writePidFile(path);
    expect(readFileSync(path, "utf8")).toBe(`${process.pid}\n`);
  }
  expect(existsSync(path)).toBe(false);
});

test("the file of another process stays, and one that is gone is no fault", () => {
  {
    using _file = writePidFile(path);
    writeFileSync(path, "1\n");
  }
  expect(readFileSync(path, "utf8")).toBe("1\n");
  using _file = writePidFile(path);
  rmSync(path);
});

test("a file that cannot be written is named", () => {
  const impossible = join(directory, "absent", "pid");
  expect(() => writePidFile(impossible)).toThrow(ConfigError);
  expect(() => writePidFile(impossible)).toThrow(`--pid-file: ${impossible}: does not exist`);
});

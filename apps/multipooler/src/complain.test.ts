import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { complain } from "./complain.ts";

const directory = mkdtempSync(join(tmpdir(), "multipooler complain "));
afterAll(() => rmSync(directory, { recursive: true }));

test("a complaint is one line that cannot control the terminal", () => {
  const path = join(directory, "stderr");
  const fd = openSync(path, "w");
  complain("cannot reach a\u001B[2J\u009B2J\u007F\nb", { fd });
  closeSync(fd);
  expect(readFileSync(path, "latin1")).toBe(
    String.raw`multipooler: cannot reach a\x1b[2J\x9b2J\x7f\nb` + "\n",
  );
});

test("a complaint that cannot be written is no fault", () => {
  const fd = openSync("/dev/null", "r");
  expect(() => complain("x", { fd })).not.toThrow();
  closeSync(fd);
});

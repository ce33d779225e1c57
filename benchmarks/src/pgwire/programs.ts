import { accessSync, constants, globSync } from "node:fs";
import { delimiter, join } from "node:path";
import { UsageError } from "../bench-options.ts";

/** The programs of others that the bench runs. */
export interface Programs {
  readonly pgbench: string;
  readonly pgbouncer: string;
}

interface Wanted {
  readonly name: string;
  /** Patterns of folders where it is on Debian, beside those of the PATH. */
  readonly folders: readonly string[];
  readonly debianPackage: string;
}

const PGBENCH: Wanted = {
  name: "pgbench",
  folders: ["/usr/lib/postgresql/*/bin"],
  debianPackage: "postgresql-contrib",
};
const PGBOUNCER: Wanted = {
  name: "pgbouncer",
  folders: ["/usr/sbin"],
  debianPackage: "pgbouncer",
};

/**
 * Finds pgbench and PgBouncer in the PATH and where Debian puts them. `pgbouncer` names another one.
 *
 * @throws UsageError naming the program, and the package that brings it.
 */
export function findPrograms({ pgbouncer }: { readonly pgbouncer?: string | undefined }): Programs {
  if (pgbouncer !== undefined && !isExecutable(pgbouncer)) {
    throw new UsageError(`there is no program ${pgbouncer}`);
  }
  return { pgbench: find(PGBENCH), pgbouncer: pgbouncer ?? find(PGBOUNCER) };
}

function find({ name, folders, debianPackage }: Wanted): string {
  const places = [
    ...(process.env["PATH"] ?? "").split(delimiter),
    // The newest of several versions.
    ...folders.flatMap((folder) => globSync(folder).toSorted(byVersion).toReversed()),
  ];
  const found = places.map((place) => join(place, name)).find(isExecutable);
  if (found === undefined) {
    throw new UsageError(`${name} is missing; Debian's package ${debianPackage} brings it`);
  }
  return found;
}

function byVersion(a: string, b: string): number {
  return a.localeCompare(b, "en", { numeric: true });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

import { accessSync, constants, existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { ConfigError } from "./settings/config.ts";
import { fileFault } from "./file-fault.ts";
import type { Config } from "./settings/settings.ts";

export interface Directories extends Pick<Config, "pgDataDir" | "poolerDir"> {
  /** Path of the topology, if it is a file. */
  readonly topologyFile?: string | undefined;
}

/**
 * Checks the configured directories before anything is opened. PostgreSQL's must be readable, if it
 * is there yet: a pooler may be started before `initdb` has run. The pooler's own and that of the
 * topology file are created if missing and must be writable.
 *
 * @throws ConfigError naming setting, path and fault.
 */
export function checkDirectories({ pgDataDir, poolerDir, topologyFile }: Directories): void {
  const problems: string[] = [];
  const attempt = (setting: string, path: string, check: (path: string) => void): void => {
    try {
      check(path);
    } catch (error) {
      problems.push(`--${setting}: ${path}: ${fileFault(error)}`);
    }
  };
  if (pgDataDir !== undefined) {
    attempt("pg-data-dir", pgDataDir, checkDataDirectory);
  }
  if (poolerDir !== undefined) {
    attempt("pooler-dir", poolerDir, checkOwnDirectory);
  }
  if (topologyFile !== undefined) {
    attempt("topo-global-server-addresses", topologyFile, checkTopologyFile);
  }
  if (problems.length > 0) {
    throw new ConfigError(problems);
  }
}

function checkDataDirectory(path: string): void {
  if (!existsSync(path)) {
    return;
  }
  if (!statSync(path).isDirectory()) {
    throw new Error("is not a directory");
  }
  accessSync(path, constants.R_OK | constants.X_OK);
  if (isBeforeInitdb(path)) {
    return;
  }
  try {
    accessSync(join(path, "PG_VERSION"), constants.R_OK);
  } catch (cause) {
    throw new Error("is not a PostgreSQL data directory: it has no readable PG_VERSION", { cause });
  }
}

/** `initdb` takes an empty directory, and makes `pg_wal` before it writes PG_VERSION. */
function isBeforeInitdb(path: string): boolean {
  const entries = readdirSync(path);
  return entries.length === 0 || (entries.includes("pg_wal") && !entries.includes("PG_VERSION"));
}

/** Whether PostgreSQL's data directory is configured and not made yet. */
export function awaitsDataDirectory({ pgDataDir }: Pick<Config, "pgDataDir">): boolean {
  return pgDataDir !== undefined && !existsSync(join(pgDataDir, "PG_VERSION"));
}

function checkOwnDirectory(path: string): void {
  makeDirectory(path);
  if (!statSync(path).isDirectory()) {
    throw new Error("is not a directory");
  }
  accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
}

/** One after the other: Node's recursive mkdir never returns where the system refuses with ENOENT, as in /proc. */
function makeDirectory(path: string): void {
  if (existsSync(path)) {
    return;
  }
  makeDirectory(dirname(path));
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // Another process may have made it.
    if (!existsSync(path)) {
      throw error;
    }
  }
}

function checkTopologyFile(path: string): void {
  checkOwnDirectory(dirname(path));
  if (!existsSync(path)) {
    return;
  }
  if (!statSync(path).isFile()) {
    throw new Error("is not a file");
  }
  accessSync(path, constants.R_OK | constants.W_OK);
}

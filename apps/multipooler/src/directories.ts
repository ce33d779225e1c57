import {
  accessSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  statSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { ConfigError } from "./settings/config.ts";
import { fileFault } from "./file-fault.ts";
import type { Config } from "./settings/settings.ts";
import type { TopologyTarget } from "./topology-target.ts";

export interface Directories extends Pick<Config, "pgDataDir" | "poolerDir"> {
  /** Path of the topology, if it is a file. */
  readonly topologyFile?: string | undefined;
}

/** The directories of settings that fit together. */
export function directoriesOf(
  { pgDataDir, poolerDir }: Pick<Config, "pgDataDir" | "poolerDir">,
  { server }: Pick<TopologyTarget, "server">,
): Directories {
  const topologyFile = server.type === "sqlite" ? server.file : undefined;
  return { pgDataDir, poolerDir, topologyFile };
}

/**
 * Checks the configured directories, and makes nothing. PostgreSQL's must be readable, if it is there
 * yet: a pooler may be started before `initdb` has run. The pooler's own and that of the topology file
 * must be writable, or can be made.
 *
 * @throws ConfigError naming setting, path and fault.
 */
export function checkDirectories(directories: Directories): void {
  attemptAll(directories, checkParent);
}

/**
 * The same before anything is opened: makes the pooler's own directory and that of the topology file
 * if they are missing.
 *
 * @throws ConfigError naming setting, path and fault.
 */
export function makeDirectories(directories: Directories): void {
  attemptAll(directories, makeDirectory);
}

/** Deals with a directory of the pooler that may be missing. */
type WhenMissing = (path: string) => void;

function attemptAll(
  { pgDataDir, poolerDir, topologyFile }: Directories,
  whenMissing: WhenMissing,
): void {
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
    attempt("pooler-dir", poolerDir, (path) => checkOwnDirectory(path, whenMissing));
  }
  if (topologyFile !== undefined) {
    attempt("topo-global-server-addresses", topologyFile, (path) =>
      checkTopologyFile(path, whenMissing),
    );
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

function checkOwnDirectory(path: string, whenMissing: WhenMissing): void {
  if (isThere(path)) {
    checkWritable(path);
  } else {
    whenMissing(path);
  }
}

/** @throws Error for a symbolic link to nowhere, in whose place nothing can be made */
function isThere(path: string): boolean {
  if (existsSync(path)) {
    return true;
  }
  if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true) {
    throw new Error(`is a symbolic link to ${readlinkSync(path)}, which is not there`);
  }
  return false;
}

/** The first directory above it that is there has to take the next one. */
function checkParent(path: string): void {
  const parent = dirname(path);
  if (isThere(parent)) {
    checkWritable(parent);
  } else {
    checkParent(parent);
  }
}

function checkWritable(path: string): void {
  if (!statSync(path).isDirectory()) {
    throw new Error("is not a directory");
  }
  accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
}

/** One after the other: Node's recursive mkdir never returns where the system refuses with ENOENT, as in /proc. */
function makeDirectory(path: string): void {
  if (isThere(path)) {
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

function checkTopologyFile(path: string, whenMissing: WhenMissing): void {
  checkOwnDirectory(dirname(path), whenMissing);
  if (!existsSync(path)) {
    return;
  }
  if (!statSync(path).isFile()) {
    throw new Error("is not a file");
  }
  accessSync(path, constants.R_OK | constants.W_OK);
}

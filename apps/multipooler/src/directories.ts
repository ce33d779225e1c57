import { accessSync, constants, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { ConfigError } from "./config.ts";
import type { Config } from "./settings.ts";

/**
 * Checks the directories of the configuration before anything is opened: PostgreSQL's must be one
 * that this user can read, the pooler's own is made if it does not exist and must be writable.
 *
 * @throws ConfigError naming setting, path and fault.
 */
export function checkDirectories(config: Pick<Config, "pgDataDir" | "poolerDir">): void {
  const problems: string[] = [];
  const attempt = (setting: string, path: string, check: (path: string) => void): void => {
    try {
      check(path);
    } catch (error) {
      problems.push(
        `--${setting}: ${path}: ${error instanceof Error ? reason(error) : String(error)}`,
      );
    }
  };
  if (config.pgDataDir !== undefined) attempt("pg-data-dir", config.pgDataDir, checkDataDirectory);
  if (config.poolerDir !== undefined) attempt("pooler-dir", config.poolerDir, checkOwnDirectory);
  if (problems.length > 0) throw new ConfigError(problems);
}

function checkDataDirectory(path: string): void {
  if (!statSync(path).isDirectory()) throw new Error("is not a directory");
  accessSync(path, constants.R_OK | constants.X_OK);
  try {
    accessSync(join(path, "PG_VERSION"), constants.R_OK);
  } catch (cause) {
    throw new Error("is not a PostgreSQL data directory: it has no readable PG_VERSION", { cause });
  }
}

function checkOwnDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "does not exist",
  EACCES: "permission denied",
  EPERM: "permission denied",
  ENOTDIR: "is not a directory",
  EEXIST: "is not a directory",
  EROFS: "is on a read-only file system",
};

function reason(error: NodeJS.ErrnoException): string {
  return (error.code === undefined ? undefined : REASONS[error.code]) ?? error.message;
}

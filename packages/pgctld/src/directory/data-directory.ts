import type { Stats } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { hasErrno, messageOf, PgctldError, PgctldErrorCode } from "../error.ts";
import type { User } from "../run/run-as.ts";

/** What is at the path of a data directory. */
export type DataDirectory =
  /** Nothing, or an empty directory; its owner if there is one. */
  | { readonly kind: "absent"; readonly owner: User | undefined }
  | { readonly kind: "cluster"; readonly owner: User; readonly major: number };

/**
 * Looks at a data directory. Rejects with DIRECTORY_UNUSABLE for what is neither absent, nor empty,
 * nor a cluster that its owner can use.
 */
export async function inspectDataDirectory(dataDir: string): Promise<DataDirectory> {
  let owner: Stats;
  let entries: string[];
  try {
    owner = await stat(dataDir);
    entries = await readdir(dataDir);
  } catch (cause) {
    if (hasErrno(cause, "ENOENT")) {
      return { kind: "absent", owner: undefined };
    }
    throw unusable(dataDir, messageOf(cause), cause);
  }
  // Root reads any directory, but the server runs as its owner.
  if ((owner.mode & 0o700) !== 0o700) {
    throw unusable(dataDir, "its owner may not read and write it");
  }
  if (entries.length === 0) {
    return { kind: "absent", owner };
  }
  return { kind: "cluster", owner, major: await readMajor(dataDir) };
}

/** @throws DIRECTORY_UNUSABLE for the directory of a server that would have to run as root */
export function checkOwner(dataDir: string, owner: User): void {
  if (owner.uid === 0) {
    throw unusable(dataDir, "it belongs to root, and PostgreSQL refuses to run as root");
  }
}

/** The major version that made the data directory; `undefined` when there is none yet. */
export async function majorOf(dataDir: string): Promise<number | undefined> {
  try {
    return await readMajor(dataDir);
  } catch {
    return undefined;
  }
}

/** @throws WRONG_VERSION when another major version than `major` made it */
export function checkMajor(dataDir: string, made: number, major: number): void {
  if (made !== major) {
    throw new PgctldError(
      PgctldErrorCode.WrongVersion,
      `the data directory ${dataDir} was made by PostgreSQL ${made}, and this is PostgreSQL ${major}: move it away, upgrade it, or name the programs of PostgreSQL ${made}`,
    );
  }
}

async function readMajor(dataDir: string): Promise<number> {
  let text: string;
  try {
    text = (await readFile(join(dataDir, "PG_VERSION"), "utf8")).trim();
  } catch (cause) {
    throw unusable(dataDir, "it holds files but no PG_VERSION that can be read", cause);
  }
  const major = Number(text);
  if (!/^\d+$/.test(text) || major === 0) {
    throw unusable(dataDir, `its PG_VERSION is ${JSON.stringify(text.slice(0, 20))}`);
  }
  return major;
}

export function unusable(dataDir: string, reason: string, cause?: unknown): PgctldError {
  return new PgctldError(
    PgctldErrorCode.DirectoryUnusable,
    `the data directory ${dataDir} cannot be used: ${reason}`,
    { cause },
  );
}

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { hasErrno, ioFailed } from "../error.ts";

/** What a server says of itself in its lock file. `standby`: it recovers and takes no connections. */
export type LockFileStatus = "starting" | "stopping" | "ready" | "standby";

/** What the lock file of a data directory, `postmaster.pid`, says; its server may be dead. */
export interface LockFile {
  readonly pid: number;
  readonly startedAt: Date;
  /** `undefined` before the server listens. */
  readonly port: number | undefined;
  readonly socketDir: string | undefined;
  /** `undefined` for a single-user server, and in the first moments of a start. */
  readonly status: LockFileStatus | undefined;
}

export const LOCK_FILE = "postmaster.pid";
/** More than any path in it can have. */
const MAX_CHARACTERS = 16_384;

/** Reads the lock file of a data directory; `undefined` when there is none that says a process. */
export async function readLockFile(dataDir: string): Promise<LockFile | undefined> {
  const path = join(dataDir, LOCK_FILE);
  try {
    return parseLockFile(await readFile(path, "utf8"));
  } catch (error) {
    if (hasErrno(error, "ENOENT") || hasErrno(error, "ENOTDIR")) {
      return undefined;
    }
    throw ioFailed(`${path} cannot be read`, error);
  }
}

/** Reads the text of a lock file, which may be cut short: it is written while the server starts. */
export function parseLockFile(text: string): LockFile | undefined {
  const [pid = "", , startedAt = "", port = "", socketDir = "", , , status = ""] = text
    .slice(0, MAX_CHARACTERS)
    .split("\n")
    .map((line) => line.trim());
  // A single-user server writes its PID as a negative number.
  const id = Math.abs(Number.parseInt(pid, 10));
  if (!Number.isSafeInteger(id) || id === 0) {
    return undefined;
  }
  return {
    pid: id,
    startedAt: new Date(Number(startedAt) * 1000 || 0),
    port: /^\d+$/.test(port) && port !== "0" ? Number(port) : undefined,
    socketDir: socketDir === "" ? undefined : socketDir,
    status: parseStatus(status),
  };
}

function parseStatus(text: string): LockFileStatus | undefined {
  switch (text) {
    case "starting":
    case "stopping":
    case "ready":
    case "standby":
      return text;
    default:
      return undefined;
  }
}

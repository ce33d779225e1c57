import { execFile } from "node:child_process";
import { readdir, readFile, readlink, realpath } from "node:fs/promises";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { hasErrno } from "./error.ts";

const execFileAsync = promisify(execFile);

/** The processes that `pid` started and that still run. */
export async function childrenOf(pid: number): Promise<number[]> {
  try {
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
    return children.split(" ").filter(Boolean).map(Number);
  } catch {
    // No /proc (macOS), or a kernel without that file.
  }
  const { stdout } = await execFileAsync("ps", ["-A", "-o", "pid=,ppid="]);
  return stdout
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number))
    .flatMap(([child, parent]) => (child !== undefined && parent === pid ? [child] : []));
}

/** Sends `signal`; false when there is no such process any more. */
export function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if (hasErrno(error, "ESRCH")) {
      return false;
    }
    throw error;
  }
}

/** The process id in the lock file of `dataDir`, whether that process lives or not. */
export async function lockHolder(dataDir: string): Promise<number | undefined> {
  try {
    return Number.parseInt(await readFile(join(dataDir, "postmaster.pid"), "utf8"), 10);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) {
      return undefined;
    }
    throw error;
  }
}

/**
 * True unless it is certain that `pid` is no PostgreSQL process on `dataDir`. Where the system
 * does not tell (it has no /proc, or the process is another user's), the answer is the careful one.
 */
export async function mayServe(pid: number, dataDir: string): Promise<boolean> {
  try {
    return await serves(pid, await realpath(dataDir));
  } catch (error) {
    return process.platform !== "linux" || !hasErrno(error, "ENOENT");
  }
}

/**
 * Kills what is left of a server on `dataDir` whose main process is dead: its children end by
 * themselves when they are idle, but a busy one works on. Does nothing where there is no /proc.
 */
export async function killOrphans(dataDir: string): Promise<void> {
  const directory = await realpath(dataDir);
  const entries = await readdir("/proc").catch(() => []);
  for (const pid of entries.map(Number).filter((number) => number > 0)) {
    // Processes end while they are looked at, and other users' cannot be.
    if (await serves(pid, directory).catch(() => false)) {
      sendSignal(pid, "SIGKILL");
    }
  }
}

/** Each process of a server runs the program `postgres` in the data directory. */
async function serves(pid: number, directory: string): Promise<boolean> {
  const program = await readlink(`/proc/${pid}/exe`);
  return basename(program) === "postgres" && (await readlink(`/proc/${pid}/cwd`)) === directory;
}

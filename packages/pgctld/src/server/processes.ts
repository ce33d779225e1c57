import { execFile } from "node:child_process";
import { readdir, readFile, readlink, realpath } from "node:fs/promises";
import { basename } from "node:path";
import { promisify } from "node:util";
import { hasErrno } from "../error.ts";

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

/**
 * Whether `pid` is a process of the PostgreSQL server on `dataDir`. PIDs are used again, so that a
 * process of this number may be any program: on Linux `/proc` tells. Where it does not (macOS, or the
 * process is another user's), every living process may be one, which is the careful answer.
 */
export async function isServerProcess(pid: number, dataDir: string): Promise<boolean> {
  const directory = await realpath(dataDir).catch(() => undefined);
  if (directory === undefined) {
    return false;
  }
  try {
    return await worksOn(pid, directory);
  } catch (error) {
    if (hasErrno(error, "ENOENT") && process.platform === "linux") {
      return false;
    }
    return isAlive(pid);
  }
}

/** The processes of a server on `dataDir`, also without their main process; none without a /proc. */
export async function serverProcesses(dataDir: string): Promise<number[]> {
  const directory = await realpath(dataDir).catch(() => undefined);
  if (directory === undefined) {
    return [];
  }
  const entries = await readdir("/proc").catch(() => []);
  const found: number[] = [];
  for (const pid of entries.map(Number).filter((number) => number > 0)) {
    // Processes end while they are looked at, and other users' cannot be.
    if (await worksOn(pid, directory).catch(() => false)) {
      found.push(pid);
    }
  }
  return found;
}

/** Each process of a server runs the program `postgres` in the data directory. */
async function worksOn(pid: number, directory: string): Promise<boolean> {
  // The link of a program that an upgrade has replaced ends so.
  const program = (await readlink(`/proc/${pid}/exe`)).replace(/ \(deleted\)$/, "");
  return basename(program) === "postgres" && (await readlink(`/proc/${pid}/cwd`)) === directory;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return hasErrno(error, "EPERM");
  }
}

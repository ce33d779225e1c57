import { execFile } from "node:child_process";
import { readFile, readlink, realpath } from "node:fs/promises";
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
export function sendSignal(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if (hasErrno(error, "ESRCH")) return false;
    throw error;
  }
}

/**
 * True unless it is certain that `pid` is no PostgreSQL server on `dataDir`: a server's working
 * directory is its data directory. Where that cannot be read, the answer is the careful one.
 */
export async function mayServe(pid: number, dataDir: string): Promise<boolean> {
  try {
    return (await readlink(`/proc/${pid}/cwd`)) === (await realpath(dataDir));
  } catch (error) {
    if (process.platform === "linux" && hasErrno(error, "ENOENT")) return false;
    return true;
  }
}

import { readFile } from "node:fs/promises";
import { sleep } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { childrenOf, sendSignal, serverProcesses } from "./processes.ts";

const TERM_TIMEOUT_MS = 2000;
const POLL_MS = 20;

/** What was found of a `restore_command`, and done with it. */
export interface RestoreCommandStop {
  readonly found: boolean;
  /** It had to be ended by a signal. */
  readonly killed: boolean;
}

/**
 * Ends the `restore_command` that a standby waits for: by SIGTERM, then by SIGKILL. PostgreSQL itself
 * cannot: a change of the setting counts for the next file only. Finds nothing where there is no /proc.
 */
export async function stopRestoreCommand(
  dataDir: string,
  clock: Clock,
): Promise<RestoreCommandStop> {
  const found = await restoreProcesses(dataDir);
  if (found.length === 0) {
    return { found: false, killed: false };
  }
  const signalled = found.filter((pid) => sendSignal(pid, "SIGTERM"));
  const until = clock.monotonic() + TERM_TIMEOUT_MS;
  while ((await livingOf(found)).length > 0 && clock.monotonic() < until) {
    await sleep(clock, POLL_MS, undefined);
  }
  for (const pid of await livingOf(found)) {
    sendSignal(pid, "SIGKILL");
  }
  return { found: true, killed: signalled.length > 0 };
}

/** What the startup process of the server has started, and what that has. */
async function restoreProcesses(dataDir: string): Promise<number[]> {
  const found: number[] = [];
  for (const pid of await serverProcesses(dataDir)) {
    if ((await titleOf(pid)).startsWith("postgres: startup")) {
      found.push(...(await descendantsOf(pid)));
    }
  }
  return found;
}

async function descendantsOf(pid: number): Promise<number[]> {
  const children = await childrenOf(pid);
  const below = await Promise.all(children.map(descendantsOf));
  return [...children, ...below.flat()];
}

async function livingOf(pids: readonly number[]): Promise<number[]> {
  const titles = await Promise.all(pids.map(titleOf));
  return pids.filter((_, index) => titles[index] !== "");
}

/** Empty for a process that has ended, and for a zombie. */
async function titleOf(pid: number): Promise<string> {
  return await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
}

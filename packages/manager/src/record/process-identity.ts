import { readFileSync, readlinkSync } from "node:fs";
import type { OwnerProcess } from "@multipooler/topo";

/** This process, as another one on the same machine can look it up. */
export function ownProcess(): OwnerProcess {
  return processOf(process.pid);
}

/**
 * A process that runs. Where the system has no /proc the space is empty, and nobody can tell from
 * outside whether the process still runs.
 */
export function processOf(pid: number): OwnerProcess {
  try {
    // PIDs of another boot, or of another container, say nothing here.
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    const space = `${boot} ${readlinkSync("/proc/self/ns/pid")}`;
    return { space, pid, startTime: readStat(pid).startTime };
  } catch {
    return { space: "", pid, startTime: "" };
  }
}

/** Whether a process has ended: true only where that is certain, as seen from `observer`. */
export function hasEnded(subject: OwnerProcess, observer: OwnerProcess): boolean {
  if (observer.space === "" || subject.space !== observer.space) {
    return false;
  }
  try {
    const { state, startTime } = readStat(subject.pid);
    return state === "Z" || startTime !== subject.startTime;
  } catch {
    return !exists(subject.pid);
  }
}

/** The third field of `/proc/<pid>/stat` and the 22nd; the second may hold blanks and brackets. */
function readStat(pid: number): { readonly state: string; readonly startTime: string } {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const [state = "", ...rest] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return { state, startTime: rest[18] ?? "" };
}

/** Asks the kernel, since /proc may hide the processes of other users. */
function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !(error instanceof Error && "code" in error && error.code === "ESRCH");
  }
}

import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";

const MICROSECONDS = 1_000_000;
/** The fields of /proc/PID/stat behind the name of the program, which ends with a parenthesis. */
const USER_TICKS = 11;
const SYSTEM_TICKS = 12;

let ticksPerSecond: number | undefined;

/** Memory that a process holds, in bytes. */
export function residentBytes(pid: number): number {
  const status = `/proc/${pid}/status`;
  const kib = existsSync(status)
    ? /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(status, "utf8"))?.[1]
    : execFileSync("ps", ["-o", "rss=", "-p", String(pid)], { encoding: "utf8" }).trim();
  return Number(kib) * 1024;
}

/** What a process has used of CPU since its start, in its own code and in the system, in µs. Linux. */
export function cpuUs(pid: number): number {
  ticksPerSecond ??= Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[USER_TICKS]) + Number(fields[SYSTEM_TICKS]);
  return (ticks * MICROSECONDS) / ticksPerSecond;
}

/** Files and sockets that a process has open. Linux. */
export function openFiles(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

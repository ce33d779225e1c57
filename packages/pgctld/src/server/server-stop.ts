import { sleep } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { PgctldError, PgctldErrorCode, throwIfAborted } from "../error.ts";
import { killServerProcesses } from "./server-launch.ts";
import { childrenOf, isServerProcess, sendSignal, serverProcesses } from "./processes.ts";

/** How a server shuts down: after all sessions ended, at once but in order, or without order. */
export type StopMode = "smart" | "fast" | "immediate";

const STOP_SIGNALS: Record<StopMode, NodeJS.Signals> = {
  smart: "SIGTERM",
  fast: "SIGINT",
  immediate: "SIGQUIT",
};
const POLL_MS = 20;
/** PostgreSQL kills its own children 5 s after it was to shut down immediately. */
const IMMEDIATE_TIMEOUT_MS = 10_000;
const KILL_TIMEOUT_MS = 10_000;

/** Which server to stop, and how. */
export interface StopPlan {
  readonly pid: number;
  readonly dataDir: string;
  readonly mode: StopMode;
  /** For how long the mode may take before the next harsher one. */
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/** Which server to kill: `pid` is `undefined` where its main process is dead. */
export interface KillPlan {
  readonly pid: number | undefined;
  readonly dataDir: string;
  readonly clock: Clock;
}

/** What ended a server: the mode that was wanted, a harsher one, or SIGKILL. */
export type StopOutcome = StopMode | "kill";

/**
 * Shuts a server down and waits for the end of all its processes. One that does not obey in time is
 * treated more harshly: after `fast` comes `immediate`, then SIGKILL. `smart` waits for sessions, and
 * is never made harsher: it rejects with STOP_TIMEOUT. So does a server that survives SIGKILL.
 *
 * After an abort it rejects with CANCELLED; the server goes on shutting down.
 */
export async function stopServer(
  plan: StopPlan,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<StopOutcome> {
  const { mode, timeoutMs } = plan;
  if (await endsAfter(plan, { mode, timeoutMs, signal })) {
    return mode;
  }
  if (mode === "smart") {
    throw new PgctldError(
      PgctldErrorCode.StopTimeout,
      `sessions kept PostgreSQL from ending within ${timeoutMs} ms; it goes on shutting down`,
    );
  }
  const harsher = { mode: "immediate", timeoutMs: IMMEDIATE_TIMEOUT_MS, signal } as const;
  if (mode === "fast" && (await endsAfter(plan, harsher))) {
    return "immediate";
  }
  await killServer(plan);
  return "kill";
}

/** SIGKILL for each process of the server, as a crash of the machine would; waits for their end. */
export async function killServer({ pid, dataDir, clock }: KillPlan): Promise<void> {
  if (pid !== undefined && (await isServerProcess(pid, dataDir))) {
    // Stopped first, so that it starts no further process while its children are listed.
    sendSignal(pid, "SIGSTOP");
    const children = await childrenOf(pid);
    sendSignal(pid, "SIGKILL");
    for (const child of children) {
      sendSignal(child, "SIGKILL");
    }
  }
  const until = clock.monotonic() + KILL_TIMEOUT_MS;
  while (await hasProcesses(pid, dataDir)) {
    if (clock.monotonic() >= until) {
      const message = `processes of the server on ${dataDir} survive SIGKILL: the system does not let go of them`;
      throw new PgctldError(PgctldErrorCode.StopTimeout, message);
    }
    // Whoever was started by a child in the meantime, or outlived a main process that died before.
    await killServerProcesses(dataDir);
    await sleep(clock, POLL_MS, undefined);
  }
}

async function endsAfter(
  { pid, dataDir, clock }: StopPlan,
  {
    mode,
    timeoutMs,
    signal,
  }: {
    readonly mode: StopMode;
    readonly timeoutMs: number;
    readonly signal: AbortSignal | undefined;
  },
): Promise<boolean> {
  if (await isServerProcess(pid, dataDir)) {
    sendSignal(pid, STOP_SIGNALS[mode]);
  }
  const until = clock.monotonic() + timeoutMs;
  while (await hasProcesses(pid, dataDir)) {
    throwIfAborted(signal, "the wait for PostgreSQL to end");
    if (clock.monotonic() >= until) {
      return false;
    }
    await sleep(clock, POLL_MS, signal);
  }
  return true;
}

async function hasProcesses(pid: number | undefined, dataDir: string): Promise<boolean> {
  const main = pid !== undefined && (await isServerProcess(pid, dataDir));
  return main || (await serverProcesses(dataDir)).length > 0;
}

import type { ChildProcess } from "node:child_process";
import { unlink } from "node:fs/promises";
import { join } from "node:path";
import { sleep } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { messageOf, PgctldError, PgctldErrorCode, throwIfAborted } from "../error.ts";
import { spawnProgram } from "../run/program.ts";
import type { Environment, ProgramEnd } from "../run/program.ts";
import type { RunAs } from "../run/run-as.ts";
import { LOCK_FILE, readLockFile } from "./lock-file.ts";
import { isServerProcess, sendSignal, serverProcesses } from "./processes.ts";
import type { ServerLog } from "./server-log.ts";
import { classifyStartFailure, failureWords, startError } from "./start-failure.ts";
import type { StartFailure } from "./start-failure.ts";

const POLL_MS = 20;
/** Orphans end by themselves within seconds when they are idle; busy ones are killed. */
const ORPHAN_ATTEMPTS = 100;
const ORPHAN_PAUSE_MS = 100;
const LOCK_ATTEMPTS = 2;

/** What a run of `postgres` is started with. */
export interface LaunchPlan {
  /** Path of the program. */
  readonly postgres: string;
  readonly runAs: RunAs;
  readonly environment: Environment;
  readonly dataDir: string;
  readonly socketDir: string;
  readonly listenAddresses: string;
  readonly port: number;
  readonly log: ServerLog;
  readonly clock: Clock;
  readonly startTimeoutMs: number;
  /** Gets each server that was started, long before it is ready. */
  readonly onLaunch: (launched: LaunchedServer) => void;
}

/** A server that this process started. */
export interface LaunchedServer {
  readonly pid: number;
  /** Whether its main process has not ended. */
  readonly isRunning: boolean;
  /** Resolves when its main process has ended. Does not keep this process from ending before. */
  readonly ended: Promise<ProgramEnd>;
  /** Waits until its main process has ended, and keeps this process for it. */
  untilEnded(): Promise<ProgramEnd>;
  /** Sends its main process a signal, unless it has ended. Default SIGKILL. */
  kill(signal?: NodeJS.Signals): void;
}

/**
 * Starts a server and waits until it is ready. What another attempt can mend is tried again: children
 * of a killed server that still run, a lock file whose PID belongs to another program by now.
 *
 * Rejects with PORT_IN_USE, ALREADY_RUNNING, START_FAILED. After START_TIMEOUT and CANCELLED the
 * server goes on starting: what it recovers is not to be done twice.
 */
export async function launchServer(
  plan: LaunchPlan,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<LaunchedServer> {
  let orphanAttempts = ORPHAN_ATTEMPTS;
  let lockAttempts = LOCK_ATTEMPTS;
  for (;;) {
    throwIfAborted(signal, "the start of PostgreSQL");
    const mark = await plan.log.mark();
    const launched = await spawnServer(plan);
    plan.onLaunch(launched);
    if (await becomesReady(launched, { plan, mark, signal })) {
      return launched;
    }
    const log = await plan.log.since(mark);
    const failure = classifyStartFailure(log);
    if (failure.kind === "orphans" && --orphanAttempts > 0) {
      await killServerProcesses(plan.dataDir);
      // They are not children of this process, so no event tells when they are gone.
      await sleep(plan.clock, ORPHAN_PAUSE_MS, signal);
      continue;
    }
    if (--lockAttempts > 0 && (await isStaleLock(failure, plan.dataDir))) {
      await unlink(join(plan.dataDir, LOCK_FILE));
      continue;
    }
    throw startError(failure, { dataDir: plan.dataDir, port: plan.port, log });
  }
}

/** Kills what is left of a server; does nothing where there is no /proc. */
export async function killServerProcesses(dataDir: string): Promise<void> {
  for (const pid of await serverProcesses(dataDir)) {
    sendSignal(pid, "SIGKILL");
  }
}

/** PostgreSQL believes in each process of the lock file's number that its own user may signal. */
async function isStaleLock(failure: StartFailure, dataDir: string): Promise<boolean> {
  return failure.kind === "locked" && !(await isServerProcess(failure.pid, dataDir));
}

async function spawnServer(plan: LaunchPlan): Promise<LaunchedServer> {
  const { postgres, runAs, environment, log } = plan;
  // Not a pipe: the server is to outlive this process, and its log with it.
  await using file = await log.openForServer(runAs);
  const child = spawnProgram(
    { program: postgres, args: serverArguments(plan), runAs, environment },
    ["ignore", file.fd, file.fd],
  );
  const ended = endOf(child);
  if (child.pid === undefined) {
    await ended.catch((cause: unknown) => {
      const message = `${postgres} cannot be run: ${messageOf(cause)}`;
      throw new PgctldError(PgctldErrorCode.StartFailed, message, { cause });
    });
  }
  child.unref();
  return {
    pid: child.pid ?? 0,
    get isRunning() {
      return child.exitCode === null && child.signalCode === null;
    },
    ended,
    untilEnded: async () => {
      child.ref();
      return await ended;
    },
    kill: (signal = "SIGKILL") => void child.kill(signal),
  };
}

function endOf(child: ChildProcess): Promise<ProgramEnd> {
  const { promise, resolve, reject } = Promise.withResolvers<ProgramEnd>();
  child.once("error", reject);
  child.once("exit", (code, signal) => resolve({ code, signal }));
  promise.catch(() => undefined); // Whoever waits for it hears of it.
  return promise;
}

function serverArguments(plan: LaunchPlan): string[] {
  const settings: Record<string, string> = {
    // Faults are read off the log.
    lc_messages: "C",
    log_destination: "stderr",
    logging_collector: "off",
    listen_addresses: plan.listenAddresses,
    port: String(plan.port),
    unix_socket_directories: `"${plan.socketDir.replaceAll('"', '""')}"`, // One entry of a list.
  };
  const pairs = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  return ["-D", plan.dataDir, ...pairs];
}

/** False: the server has ended before. */
async function becomesReady(
  { pid, ended }: LaunchedServer,
  context: {
    readonly plan: LaunchPlan;
    readonly mark: number;
    readonly signal: AbortSignal | undefined;
  },
): Promise<boolean> {
  const { plan, mark, signal } = context;
  const { clock, dataDir, startTimeoutMs } = plan;
  const over = new AbortController();
  const end = (): void => over.abort();
  ended.then(end, end);
  const until = clock.monotonic() + startTimeoutMs;
  while (!over.signal.aborted) {
    const lock = await readLockFile(dataDir);
    if (lock?.pid === pid && (lock.status === "ready" || lock.status === "standby")) {
      return true;
    }
    throwIfAborted(signal, "the start of PostgreSQL");
    if (clock.monotonic() >= until) {
      const words = failureWords(await plan.log.since(mark));
      throw new PgctldError(
        PgctldErrorCode.StartTimeout,
        `PostgreSQL was not ready within ${startTimeoutMs} ms and goes on starting: ${words}`,
      );
    }
    await sleep(clock, POLL_MS, signal);
  }
  return false;
}

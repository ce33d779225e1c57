import { sleep } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { PgctldError, PgctldErrorCode, throwIfAborted } from "../error.ts";
import { readLockFile } from "./lock-file.ts";
import type { LockFile } from "./lock-file.ts";
import { isServerProcess } from "./processes.ts";

const POLL_MS = 20;

/** The lock file of the server that runs on the data directory, if one does. */
export async function findServer(dataDir: string): Promise<LockFile | undefined> {
  const lock = await readLockFile(dataDir);
  return lock !== undefined && (await isServerProcess(lock.pid, dataDir)) ? lock : undefined;
}

/** The same, where a server is needed. Rejects with NOT_RUNNING. */
export async function runningServer(dataDir: string): Promise<LockFile> {
  const server = await findServer(dataDir);
  if (server === undefined) {
    throw notRunning(dataDir);
  }
  return server;
}

/** Waits for a server that something else has started. Rejects with NOT_RUNNING and START_TIMEOUT. */
export async function untilReady(
  pid: number,
  {
    dataDir,
    clock,
    startTimeoutMs,
  }: { readonly dataDir: string; readonly clock: Clock; readonly startTimeoutMs: number },
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const until = clock.monotonic() + startTimeoutMs;
  for (;;) {
    const server = await runningServer(dataDir);
    if (server.pid !== pid) {
      throw notRunning(dataDir);
    }
    if (server.status === "ready" || server.status === "standby") {
      return;
    }
    throwIfAborted(signal, "the wait for PostgreSQL to be ready");
    if (clock.monotonic() >= until) {
      throw new PgctldError(
        PgctldErrorCode.StartTimeout,
        `PostgreSQL (process ${pid}) runs already and was not ready within ${startTimeoutMs} ms`,
      );
    }
    await sleep(clock, POLL_MS, signal);
  }
}

function notRunning(dataDir: string): PgctldError {
  return new PgctldError(PgctldErrorCode.NotRunning, `no server runs on ${dataDir}`);
}

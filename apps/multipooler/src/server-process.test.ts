import type { ServerProcess } from "@multipooler/manager";
import { PgctldServer } from "@multipooler/pgctld";
import type { PostgresControl, PostgresStatus } from "@multipooler/pgctld";
import { expect, test } from "vitest";
import { serverProcessOf } from "./server-process.ts";

const SILENT = { info: () => undefined, warn: () => undefined };
const PLACE = { dataDir: "/data", port: 5432, socketDir: "/run", version: "17.6" };
const OWN = { pid: 4711, startedAt: new Date("2026-01-02T03:04:05Z") };
const RUNNING = { state: "running", ready: true, role: "primary", ...OWN, ...PLACE } as const;
const OTHER_START = new Date("2026-01-02T03:09:05Z");

/** A control that knows nothing but the status. */
function controlOf(status: PostgresStatus): PostgresControl {
  const refuse = (): Promise<never> => Promise.reject(new Error("not asked for"));
  return {
    status: () => Promise.resolve(status),
    initialize: refuse,
    start: refuse,
    stop: refuse,
    restart: refuse,
    reload: refuse,
    rewind: refuse,
    stopRestoreCommand: refuse,
  };
}

const REFUSED: Readonly<Record<string, readonly [status: PostgresStatus, why: RegExp]>> = {
  "of another port": [
    { ...RUNNING, port: 5433 },
    /it controls the PostgreSQL on port 5433, and this pooler is in front of port 5432$/,
  ],
  "of a server that is not there yet": [
    { state: "not-initialized", ...PLACE },
    /its PostgreSQL has no data directory$/,
  ],
  "of another process": [
    { ...RUNNING, pid: 4712 },
    /the PostgreSQL in \/data, PID 4712 since \S+, and this pooler is in front of another one, PID 4711 since 2026-01-02T03:04:05/,
  ],
  "of a process of the same number on another machine": [
    { ...RUNNING, startedAt: OTHER_START },
    /PID 4711 since 2026-01-02T03:09:0\S+, and this pooler is in front of another one/,
  ],
  "of a server that is down while the pooler's answers": [
    { state: "stopped", cluster: "shut down", ...PLACE },
    /in \/data, which is stopped, and this pooler is in front of another one/,
  ],
};

/** Asks the control of the pooler's server, through a daemon that knows nothing but the status. */
async function ask<T>(
  status: PostgresStatus,
  question: (process: ServerProcess | undefined) => Promise<T>,
): Promise<T> {
  const daemon = new PgctldServer({
    control: controlOf(status),
    address: "127.0.0.1:0",
    logger: SILENT,
  });
  await daemon.listen();
  try {
    const pgctldAddr = `127.0.0.1:${daemon.port}`;
    using process = serverProcessOf(() => ({ pgctldAddr, pgPort: 5432, socketFile: undefined }));
    return await question(process);
  } finally {
    await daemon.close({ signal: AbortSignal.timeout(5_000) });
  }
}

async function check(status: PostgresStatus, server: typeof OWN | undefined): Promise<void> {
  await ask(status, async (process) => await process?.check(server));
}

test.each(Object.entries(REFUSED))("a daemon %s is refused", async (_, [status, why]) => {
  await expect(check(status, OWN)).rejects.toMatchObject({
    code: "PROCESS_CONTROL_FAILED",
    message: expect.stringMatching(why),
  });
});

test("the daemon of the pooler's server is not refused, also while that is down", async () => {
  const stopped = { state: "stopped", cluster: undefined, ...PLACE } as const;
  await expect(check(RUNNING, OWN)).resolves.toBeUndefined();
  await expect(check(stopped, undefined)).resolves.toBeUndefined();
});

test.each([
  ["running", RUNNING, true],
  ["starting", { state: "starting", ...OWN, ...PLACE }, true],
  ["stopping", { state: "stopping", ...OWN, ...PLACE }, true],
  ["stopped", { state: "stopped", cluster: undefined, ...PLACE }, false],
] as const)("a server that is %s is told from one that is down", async (_, status, isRunning) => {
  expect(await ask(status, async (process) => await process?.isRunning())).toBe(isRunning);
});

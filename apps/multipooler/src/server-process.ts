import { ManagerError, ManagerErrorCode } from "@multipooler/manager";
import type { MainProcess, ServerProcess } from "@multipooler/manager";
import { RemotePostgres } from "@multipooler/pgctld";
import type { PostgresControl, PostgresStatus } from "@multipooler/pgctld";
import { Deadline, systemClock } from "@multipooler/timing";
import type { Config } from "./settings/settings.ts";

/** A daemon of this machine answers in a millisecond. */
const CHECK_TIMEOUT_MS = 2_000;
/** PostgreSQL tells the second, and the daemon for how long. */
const START_TOLERANCE_MS = 5_000;

/** What controls PostgreSQL's process, if the configuration names it. Connects with the first call. */
export function serverProcessOf(
  current: () => Pick<Config, "pgctldAddr" | "socketFile" | "pgPort">,
): (ServerProcess & Disposable) | undefined {
  const { pgctldAddr: address } = current();
  if (address === undefined) {
    return undefined;
  }
  const postgres = new RemotePostgres(address);
  return {
    check: async (server, { signal } = {}) => {
      using bound = new Deadline({
        clock: systemClock,
        ms: CHECK_TIMEOUT_MS,
        what: "the answer",
        signal,
      });
      const own = { port: portOf(current()), server };
      await controlled(address, () => checkServer(postgres, own, bound.signal));
    },
    isRunning: ({ signal } = {}) =>
      controlled(address, async () => "pid" in (await postgres.status({ signal }))),
    restartAsStandby: ({ signal } = {}) =>
      controlled(
        address,
        async () => void (await postgres.restart({ mode: "fast", role: "standby" }, { signal })),
      ),
    [Symbol.dispose]: () => postgres[Symbol.dispose](),
  };
}

/** A daemon of another server would restart that one. */
async function checkServer(
  postgres: PostgresControl,
  own: { readonly port: number; readonly server: MainProcess | undefined },
  signal: AbortSignal,
): Promise<void> {
  const status = await postgres.status({ signal });
  if (status.port !== own.port) {
    throw new Error(
      `it controls the PostgreSQL on port ${status.port}, and this pooler is in front of port ${own.port}`,
    );
  }
  if (status.state === "not-initialized") {
    throw new Error("its PostgreSQL has no data directory");
  }
  if (own.server !== undefined && !isSame(status, own.server)) {
    throw new Error(
      `it controls the PostgreSQL in ${status.dataDir}, ${processText(status)}, and this pooler is in front ` +
        `of another one, PID ${own.server.pid} since ${own.server.startedAt.toISOString()}`,
    );
  }
}

/** The port, the directory and the cluster may be those of a server on another machine as well. */
function isSame(status: PostgresStatus, { pid, startedAt }: MainProcess): boolean {
  return (
    "pid" in status &&
    status.pid === pid &&
    Math.abs(status.startedAt.getTime() - startedAt.getTime()) <= START_TOLERANCE_MS
  );
}

function processText(status: PostgresStatus): string {
  return "pid" in status
    ? `PID ${status.pid} since ${status.startedAt.toISOString()}`
    : `which is ${status.state}`;
}

function portOf({ socketFile, pgPort }: Pick<Config, "socketFile" | "pgPort">): number {
  const suffix = socketFile === undefined ? undefined : /\.(\d+)$/.exec(socketFile)?.[1];
  return suffix === undefined ? pgPort : Number(suffix);
}

async function controlled<T>(address: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ManagerError(
      ManagerErrorCode.ProcessControlFailed,
      `the control of PostgreSQL's process at ${address}: ${why}`,
      { cause },
    );
  }
}

import { ManagerError, ManagerErrorCode } from "@multipooler/manager";
import type { ServerProcess } from "@multipooler/manager";
import { RemotePostgres } from "@multipooler/pgctld";
import type { PostgresControl } from "@multipooler/pgctld";
import { Deadline, systemClock } from "@multipooler/timing";
import type { Config } from "./settings/settings.ts";

/** A daemon of this machine answers in a millisecond. */
const CHECK_TIMEOUT_MS = 2_000;

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
    check: async ({ signal } = {}) => {
      using bound = new Deadline({
        clock: systemClock,
        ms: CHECK_TIMEOUT_MS,
        what: "the answer",
        signal,
      });
      await controlled(address, () => checkServer(postgres, portOf(current()), bound.signal));
    },
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
  ownPort: number,
  signal: AbortSignal,
): Promise<void> {
  const { state, port } = await postgres.status({ signal });
  if (port !== ownPort) {
    throw new Error(
      `it controls the PostgreSQL on port ${port}, and this pooler is in front of port ${ownPort}`,
    );
  }
  if (state === "not-initialized") {
    throw new Error("its PostgreSQL has no data directory");
  }
}

function portOf({ socketFile, pgPort }: Pick<Config, "socketFile" | "pgPort">): number {
  const suffix = socketFile === undefined ? undefined : /\.(\d+)$/.exec(socketFile)?.[1];
  return suffix === undefined ? pgPort : Number(suffix);
}

async function controlled(address: string, call: () => Promise<void>): Promise<void> {
  try {
    await call();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ManagerError(
      ManagerErrorCode.ProcessControlFailed,
      `the control of PostgreSQL's process at ${address}: ${why}`,
      { cause },
    );
  }
}

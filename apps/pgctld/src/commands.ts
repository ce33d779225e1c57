import { takeBaseBackup } from "@multipooler/base-backup";
import type { PostgresStatus, StopMode } from "@multipooler/pgctld";
import { printableJson } from "@multipooler/text-table";
import type { Controlled } from "./control.ts";
import type { ServerFlags } from "./settings.ts";

/** Prints one line for people. */
export type Print = (line: string) => void;

/** What commands take besides the flags of the server; each has those that it declares. */
export interface CommandFlags extends ServerFlags {
  readonly mode: StopMode;
  readonly asStandby?: boolean;
  readonly asPrimary?: boolean;
  readonly json?: boolean;
  /** Which server to copy or to follow. */
  readonly sourceHost: string;
  readonly sourcePort: number;
  readonly applicationName?: string;
  readonly dryRun?: boolean;
  readonly sync: boolean;
  readonly standby?: boolean;
}

/** What a command works with, and where it says what it did. */
export interface CommandContext extends Controlled {
  readonly print: Print;
  /** Aborts with SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
}

export async function init({ postgres, dataDir, print, signal }: CommandContext): Promise<void> {
  const { alreadyInitialized } = await postgres.initialize({}, { signal });
  const what = alreadyInitialized ? "is already initialized" : "was made";
  print(`The data directory ${dataDir} ${what}`);
}

export async function start(
  { postgres, print, signal }: CommandContext,
  { asStandby = false, asPrimary = false }: CommandFlags,
): Promise<void> {
  const role = roleOf({ asStandby, asPrimary });
  const { pid, alreadyRunning } = await postgres.start({ role }, { signal });
  print(`PostgreSQL ${alreadyRunning ? "is already running" : "was started"} (PID ${pid})`);
}

export async function stop(
  { postgres, print, signal }: CommandContext,
  { mode }: CommandFlags,
): Promise<void> {
  const outcome = await postgres.stop({ mode }, { signal });
  print(
    outcome === "not-running" ? "PostgreSQL is not running" : `PostgreSQL was stopped (${outcome})`,
  );
}

export async function restart(
  { postgres, print, signal }: CommandContext,
  { mode, asStandby = false }: CommandFlags,
): Promise<void> {
  const role = roleOf({ asStandby, asPrimary: false });
  const { pid } = await postgres.restart({ mode, role }, { signal });
  print(`PostgreSQL was restarted${asStandby ? " as a standby" : ""} (PID ${pid})`);
}

export async function reload({ postgres, print, signal }: CommandContext): Promise<void> {
  await postgres.reload({ signal });
  print("PostgreSQL has read its configuration again");
}

export async function promote({ postgres, print, signal }: CommandContext): Promise<void> {
  const { alreadyPrimary } = await postgres.promote({ signal });
  print(alreadyPrimary ? "PostgreSQL is a primary already" : "PostgreSQL was promoted");
}

export async function rewind(
  { postgres, print, signal }: CommandContext,
  flags: CommandFlags,
): Promise<void> {
  const { diverged, output } = await postgres.rewind(flags, { signal });
  print(output.trim());
  print(diverged ? "The histories had diverged" : "The histories had not diverged");
}

export async function follow(
  { postgres, print, signal }: CommandContext,
  { sourceHost: host, sourcePort: port, applicationName }: CommandFlags,
): Promise<void> {
  await postgres.follow({ host, port, applicationName }, { signal });
  print(`The next start brings up a standby of ${host}:${port}`);
}

export async function baseBackup(
  { postgres, dataDir, password, print, signal }: CommandContext,
  flags: CommandFlags,
): Promise<void> {
  const { sourceHost: host, sourcePort: port } = flags;
  const { endLsn, files, bytes } = await takeBaseBackup(
    {
      source: {
        address: { type: "tcp", host, port },
        user: flags.pgUser,
        credential: async () => ({ type: "password", password }),
      },
      dataDir,
      owner: await postgres.owner(),
      durable: flags.sync,
    },
    { signal },
  );
  print(`Copied ${files} files with ${bytes} bytes, up to ${endLsn}`);
  if (flags.standby === true) {
    await follow({ postgres, dataDir, password, print, signal }, flags);
  }
}

export async function status(
  { postgres, print, signal }: CommandContext,
  { json = false }: CommandFlags,
): Promise<void> {
  const found = await postgres.status({ signal });
  if (json) {
    print(printableJson(JSON.stringify(found)));
    return;
  }
  print(`Status: ${describe(found)}`);
  print(`Data directory: ${found.dataDir}`);
  print(`Version: ${found.version}`);
  if ("pid" in found) {
    print(`PID: ${found.pid}`);
    print(`Port: ${found.port}`);
    print(`Socket directory: ${found.socketDir}`);
    print(`Started: ${found.startedAt.toISOString()}`);
  }
}

function describe(found: PostgresStatus): string {
  switch (found.state) {
    case "not-initialized":
      return "the data directory is not initialized";
    case "stopped":
      return `stopped (${found.cluster ?? "its control file cannot be read"})`;
    case "starting":
    case "stopping":
      return found.state;
    case "running":
      return `running, ${found.role ?? "in an unknown role"}${found.ready ? "" : ", not accepting connections"}`;
  }
}

function roleOf({
  asStandby,
  asPrimary,
}: {
  asStandby: boolean;
  asPrimary: boolean;
}): "keep" | "primary" | "standby" {
  if (asStandby) {
    return "standby";
  }
  return asPrimary ? "primary" : "keep";
}

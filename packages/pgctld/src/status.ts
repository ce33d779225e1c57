import { join } from "node:path";
import { readControlFile } from "./directory/control-file.ts";
import type { ClusterState } from "./directory/control-file.ts";
import { inspectDataDirectory } from "./directory/data-directory.ts";
import type { ResolvedOptions } from "./local-postgres-options.ts";
import type { CallOptions, PostgresStatus } from "./postgres-control.ts";
import { readLockFile } from "./server/lock-file.ts";
import { isServerProcess } from "./server/processes.ts";
import { askReadiness } from "./server/readiness.ts";

/** How long a server that runs may take to answer a connection. */
const ANSWER_TIMEOUT_MS = 500;

/** Which server to look at. */
export type ObservedServer = Pick<
  ResolvedOptions,
  "dataDir" | "port" | "socketDir" | "user" | "installation"
>;

/** Finds out what a server does, from its files and processes and by one connection. */
export async function observe(
  server: ObservedServer,
  { signal }: CallOptions = {},
): Promise<PostgresStatus> {
  const { dataDir, user } = server;
  const place = {
    dataDir,
    port: server.port,
    socketDir: server.socketDir,
    version: server.installation.version,
  };
  const found = await inspectDataDirectory(dataDir);
  if (found.kind === "absent") {
    return { state: "not-initialized", ...place };
  }
  const lock = await readLockFile(dataDir);
  const cluster = await clusterState(dataDir);
  if (lock === undefined || !(await isServerProcess(lock.pid, dataDir))) {
    return { state: "stopped", cluster, ...place };
  }
  const actual = {
    ...place,
    port: lock.port ?? place.port,
    socketDir: lock.socketDir ?? place.socketDir,
    pid: lock.pid,
    startedAt: lock.startedAt,
  };
  switch (lock.status) {
    case undefined:
    case "starting":
      return { state: "starting", ...actual };
    case "stopping":
      return { state: "stopping", ...actual };
    case "standby":
      return { state: "running", ready: false, role: "standby", ...actual };
    case "ready": {
      const socketPath = socketPathOf(actual.socketDir, actual.port);
      const question = { socketPath, user, timeoutMs: ANSWER_TIMEOUT_MS };
      const ready = (await askReadiness(question, { signal })) === "accepting";
      const role = cluster === "in archive recovery" ? "standby" : "primary";
      return { state: "running", ready, role, ...actual };
    }
  }
}

/** Path of the unix socket of a server. */
export function socketPathOf(socketDir: string, port: number): string {
  return join(socketDir, `.s.PGSQL.${port}`);
}

async function clusterState(dataDir: string): Promise<ClusterState | undefined> {
  try {
    return (await readControlFile(dataDir)).state;
  } catch {
    return undefined;
  }
}

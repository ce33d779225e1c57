import { join } from "node:path";
import { DirectoryLock, PgctldServer } from "@multipooler/pgctld";
import type { Logger } from "@multipooler/pgctld";
import type { Controlled } from "./control.ts";
import { HttpServer } from "./http-server.ts";
import type { DaemonFlags, ServerFlags } from "./settings.ts";

/** How long running calls may take at the end before they are cut. */
const DRAIN_TIMEOUT_MS = 10_000;

/** What the daemon runs with. */
export interface DaemonOptions {
  readonly flags: ServerFlags & DaemonFlags;
  readonly controlled: Controlled;
  readonly logger: Logger;
  /** Aborts when the daemon is to end. */
  readonly signal: AbortSignal;
}

/**
 * Serves the control of a PostgreSQL until the signal aborts. PostgreSQL is neither started with the
 * daemon nor stopped with it. Rejects with BUSY when another daemon has the directory, and with
 * LISTEN_FAILED.
 */
export async function runDaemon({
  flags,
  controlled,
  logger,
  signal,
}: DaemonOptions): Promise<void> {
  const { postgres, dataDir } = controlled;
  const path = join(flags.poolerDir, "daemon.lock");
  await postgres.prepare();
  await using _lock = await DirectoryLock.take({
    path,
    purpose: "is the pgctld of this directory",
    waitMs: 0,
  });
  await using parts = new AsyncDisposableStack();
  const server = new PgctldServer({ control: postgres, address: addressOf(flags), logger });
  await server.listen();
  parts.defer(async () => await server.close({ signal: AbortSignal.timeout(DRAIN_TIMEOUT_MS) }));
  if (flags.httpPort !== 0) {
    parts.use(await HttpServer.listen({ host: flags.bindAddress, port: flags.httpPort }));
  }
  const { state } = await postgres.status();
  logger.info({ dataDir, state, grpc: addressOf(flags) }, "pgctld is ready");
  await aborted(signal);
  logger.info({}, "pgctld stops; PostgreSQL goes on");
}

function addressOf({ grpcSocketFile, grpcBindAddress, grpcPort }: DaemonFlags): string {
  if (grpcSocketFile !== undefined) {
    return `unix:${grpcSocketFile}`;
  }
  const host = grpcBindAddress.includes(":") ? `[${grpcBindAddress}]` : grpcBindAddress;
  return `${host}:${grpcPort}`;
}

async function aborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => resolve(), { once: true });
  if (signal.aborted) {
    resolve();
  }
  await promise;
}

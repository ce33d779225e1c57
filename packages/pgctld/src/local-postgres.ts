import { join } from "node:path";
import { sleep } from "@multipooler/timing";
import { parseAuthMethod } from "./directory/access-rules.ts";
import { createCluster } from "./directory/cluster-creation.ts";
import { isCleanlyShutDown, readControlFile } from "./directory/control-file.ts";
import { checkMajor, inspectDataDirectory } from "./directory/data-directory.ts";
import { setPersistently, writeConfiguration } from "./directory/configuration.ts";
import { DirectoryLock } from "./directory/directory-lock.ts";
import { setStartRole } from "./directory/server-file.ts";
import { PgctldError, PgctldErrorCode } from "./error.ts";
import { checkTimeout, resolveOptions } from "./local-postgres-options.ts";
import type { LocalPostgresOptions, ResolvedOptions } from "./local-postgres-options.ts";
import type {
  CallOptions,
  InitializeRequest,
  PostgresControl,
  PostgresStatus,
  RestartRequest,
  StartRequest,
  StartResult,
  StopRequest,
  StopResult,
} from "./postgres-control.ts";
import { primaryConnInfo } from "./rewind/conn-info.ts";
import type { PrimaryAddress } from "./rewind/conn-info.ts";
import { checkRewindRequest, runRewind } from "./rewind/rewind.ts";
import type { RewindRequest, RewindResult } from "./rewind/rewind.ts";
import type { RunAs } from "./run/run-as.ts";
import { serverProcesses } from "./server/processes.ts";
import { promoteServer } from "./server/promotion.ts";
import { stopRestoreCommand } from "./server/restore-command.ts";
import type { RestoreCommandStop } from "./server/restore-command.ts";
import { reloadServer } from "./server/reload.ts";
import { findServer, runningServer, untilReady } from "./server/running-server.ts";
import { launchServer } from "./server/server-launch.ts";
import type { LaunchedServer } from "./server/server-launch.ts";
import { ServerLog } from "./server/server-log.ts";
import { killServer, stopServer } from "./server/server-stop.ts";
import { recoverCluster } from "./server/single-user.ts";
import { ServerPreparation } from "./server-preparation.ts";
import { observe, socketPathOf } from "./status.ts";
import { Turns } from "./turns.ts";

const RELOAD_TIMEOUT_MS = 5000;
const WATCH_MS = 100;

/** A stop on this machine, where PIDs say which server is meant. */
export interface LocalStopRequest extends StopRequest {
  /** Only the server with this main process: something else may have started another one since. */
  readonly pid?: number | undefined;
}

/**
 * Controls a PostgreSQL server of this machine. It keeps no state of its own: what the server does is
 * read off its files and processes, so that a server outlives this object and its process, and the
 * next one takes over. There is nothing to close.
 */
export class LocalPostgres implements PostgresControl {
  readonly #options: ResolvedOptions;
  readonly #preparation: ServerPreparation;
  readonly #log: ServerLog;
  readonly #turns = new Turns();
  #launched: LaunchedServer | undefined;

  /** @throws INVALID_ARGUMENT, naming the option */
  constructor(options: LocalPostgresOptions) {
    this.#options = resolveOptions(options);
    this.#preparation = new ServerPreparation(this.#options);
    this.#log = new ServerLog(join(this.#options.stateDir, "postgresql.log"));
  }

  /** Path of the file that the server writes its log to. */
  get logPath(): string {
    return this.#log.path;
  }

  /** Path of the unix socket. */
  get socketPath(): string {
    return socketPathOf(this.#options.socketDir, this.#options.port);
  }

  /** Path of a file that libpq finds the superuser's password in; there since the first start. */
  get passwordFile(): string {
    return this.#preparation.passwordFile;
  }

  /** The server that this object started last; `undefined` before the first start. */
  get launched(): LaunchedServer | undefined {
    return this.#launched;
  }

  /** As whom the server's files are to be made; `undefined`: as this process' user. */
  async owner(): Promise<{ readonly uid: number; readonly gid: number } | undefined> {
    return await this.#preparation.newOwner();
  }

  /** Makes the directories that the daemon needs before PostgreSQL does. Rejects with IO_FAILED. */
  async prepare(): Promise<void> {
    await this.#preparation.stateDirectory();
  }

  async status({ signal }: CallOptions = {}): Promise<PostgresStatus> {
    return await observe(this.#options, { signal });
  }

  async initialize(
    request: InitializeRequest = {},
    { signal }: CallOptions = {},
  ): Promise<{ readonly alreadyInitialized: boolean }> {
    const options = this.#options;
    const { local, host } = request;
    const access = {
      ...options.access,
      ...(local !== undefined && { local: parseAuthMethod("local", local) }),
      ...(host !== undefined && { loopback: parseAuthMethod("host", host) }),
    };
    return await this.#change("makes a data directory", signal, async () => {
      const found = await inspectDataDirectory(options.dataDir);
      if (found.kind === "cluster") {
        checkMajor(options.dataDir, found.major, options.installation.major);
        return { alreadyInitialized: true };
      }
      const owner = await this.#preparation.newOwner();
      const extraArguments = options.initdbArguments;
      const runAs = await createCluster(
        options.dataDir,
        { ...options, access, extraArguments, owner },
        { signal },
      );
      this.#preparation.found(runAs);
      options.logger.info({ dataDir: options.dataDir }, "made a data directory");
      return { alreadyInitialized: false };
    });
  }

  async start(request: StartRequest = {}, { signal }: CallOptions = {}): Promise<StartResult> {
    return await this.#change("starts PostgreSQL", signal, () => this.#start(request, signal));
  }

  async stop(request: LocalStopRequest = {}, { signal }: CallOptions = {}): Promise<StopResult> {
    return await this.#change("stops PostgreSQL", signal, () => this.#stop(request, signal));
  }

  /** Resolves when the server does not run, and no call of this object is bringing it back. */
  async untilStopped({ signal }: CallOptions = {}): Promise<void> {
    const { dataDir, clock } = this.#options;
    // It may be the child of another process, so that no event tells.
    while ((await this.#turns.run(() => findServer(dataDir), signal)) !== undefined) {
      await sleep(clock, WATCH_MS, signal);
    }
  }

  async restart(request: RestartRequest = {}, { signal }: CallOptions = {}): Promise<StartResult> {
    return await this.#change("restarts PostgreSQL", signal, async () => {
      await this.#preparation.runAs(); // Rather than find out when nothing runs any more.
      await this.#stop(request, signal);
      return await this.#start({ role: request.role }, signal);
    });
  }

  async reload({ signal }: CallOptions = {}): Promise<void> {
    const { dataDir, settings, socketDir, port, user, clock } = this.#options;
    await this.#change("reloads PostgreSQL", signal, async () => {
      const server = await runningServer(dataDir);
      await writeConfiguration(dataDir, settings);
      const socketPath = socketPathOf(server.socketDir ?? socketDir, server.port ?? port);
      const question = { socketPath, user, timeoutMs: RELOAD_TIMEOUT_MS };
      await reloadServer(
        { pid: server.pid, log: this.#log, question, timeoutMs: RELOAD_TIMEOUT_MS, clock },
        { signal },
      );
    });
  }

  /** Makes a standby a primary, without a login, and waits until it takes writes. */
  async promote({ signal }: CallOptions = {}): Promise<{ readonly alreadyPrimary: boolean }> {
    const { dataDir, clock, promoteTimeoutMs: timeoutMs, logger } = this.#options;
    return await this.#change("promotes PostgreSQL", signal, async () => {
      const { pid } = await runningServer(dataDir);
      if ((await readControlFile(dataDir)).state === "in production") {
        return { alreadyPrimary: true };
      }
      await promoteServer({ pid, dataDir, timeoutMs, clock }, { signal });
      logger.info({ pid }, "promoted PostgreSQL");
      return { alreadyPrimary: false };
    });
  }

  async rewind(request: RewindRequest, { signal }: CallOptions = {}): Promise<RewindResult> {
    checkRewindRequest(request);
    const { dataDir, installation, user, environment, logger } = this.#options;
    return await this.#change("rewinds PostgreSQL", signal, async () => {
      const runAs = await this.#preparation.runAs();
      await this.#assertStopped();
      await this.#preparation.writePasswordFile();
      await this.#recoverIfNecessary(runAs, signal);
      const passwordFile = this.passwordFile;
      const plan = { installation, dataDir, runAs, environment, user, passwordFile };
      const result = await runRewind(plan, request, { signal });
      logger.info({ diverged: result.diverged, dryRun: request.dryRun === true }, "ran pg_rewind");
      return result;
    });
  }

  async stopRestoreCommand(): Promise<RestoreCommandStop> {
    const { dataDir, clock } = this.#options;
    // Not in turn: a start may be waiting for just that command.
    return await stopRestoreCommand(dataDir, clock);
  }

  /**
   * Has the server start as a standby of another one from now on: writes `primary_conninfo`, with the
   * superuser's password in a file, and `standby.signal`. It must not run.
   */
  async follow(primary: PrimaryAddress, { signal }: CallOptions = {}): Promise<void> {
    const { dataDir, user } = this.#options;
    await this.#change("sets up a standby", signal, async () => {
      await this.#preparation.runAs();
      await this.#assertStopped();
      await this.#preparation.writePasswordFile();
      const connInfo = primaryConnInfo(primary, { user, passwordFile: this.passwordFile });
      await setPersistently(dataDir, "primary_conninfo", connInfo);
      await setStartRole(dataDir, "standby");
    });
  }

  /**
   * Kills all processes of the server with SIGKILL and waits for their end, as well as for that of a
   * server that `start` gave up waiting for.
   */
  async kill(): Promise<void> {
    const { dataDir, clock } = this.#options;
    await this.#turns.run(async () => {
      const server = await findServer(dataDir);
      await killServer({ pid: server?.pid, dataDir, clock });
      await this.#killLaunched();
    }, undefined);
  }

  async #start(request: StartRequest, signal: AbortSignal | undefined): Promise<StartResult> {
    const { dataDir, installation, logger } = this.#options;
    const runAs = await this.#preparation.runAs();
    const before = await findServer(dataDir);
    if (before !== undefined) {
      await untilReady(before.pid, this.#options, { signal });
      return { pid: before.pid, alreadyRunning: true, recovered: false };
    }
    await this.#preparation.beforeStart();
    await setStartRole(dataDir, request.role ?? "keep");
    const recovered =
      request.recoverFirst === true && (await this.#recoverIfNecessary(runAs, signal));
    const postgres = join(installation.binDir, "postgres");
    const onLaunch = (launched: LaunchedServer): void => {
      this.#launched = launched;
    };
    const plan = { ...this.#options, postgres, runAs, log: this.#log, onLaunch };
    const launched = await launchServer(plan, { signal });
    logger.info({ pid: launched.pid, recovered }, "started PostgreSQL");
    return { pid: launched.pid, alreadyRunning: false, recovered };
  }

  async #stop(
    { mode = "fast", timeoutMs = this.#options.stopTimeoutMs, pid: only }: LocalStopRequest,
    signal: AbortSignal | undefined,
  ): Promise<StopResult> {
    checkTimeout("timeoutMs", timeoutMs);
    const { dataDir, clock, logger } = this.#options;
    const server = await findServer(dataDir);
    if (server === undefined) {
      const wasRunning = await this.#killLaunched();
      // Its children may have outlived a main process that was killed.
      if ((await serverProcesses(dataDir)).length > 0) {
        await killServer({ pid: undefined, dataDir, clock });
      }
      return wasRunning ? "kill" : "not-running";
    }
    const { pid } = server;
    if (pid !== (only ?? pid)) {
      return "not-running";
    }
    const outcome = await stopServer({ pid, dataDir, mode, timeoutMs, clock }, { signal });
    if (pid === this.#launched?.pid) {
      await this.#launched.untilEnded();
    }
    if (outcome === mode) {
      logger.info({ pid, mode }, "stopped PostgreSQL");
    } else {
      logger.warn({ pid, mode, outcome, timeoutMs }, "PostgreSQL did not stop as it was told to");
    }
    return outcome;
  }

  /** A server whose start was given up may be so young that nothing shows yet whose it is. */
  async #killLaunched(): Promise<boolean> {
    const isRunning = this.#launched?.isRunning === true;
    this.#launched?.kill();
    await this.#launched?.untilEnded();
    return isRunning;
  }

  async #recoverIfNecessary(runAs: RunAs, signal: AbortSignal | undefined): Promise<boolean> {
    const { dataDir, installation, environment, logger } = this.#options;
    if (isCleanlyShutDown(await readControlFile(dataDir))) {
      return false;
    }
    const postgres = join(installation.binDir, "postgres");
    await recoverCluster({ postgres, dataDir, runAs, environment }, { signal });
    logger.info({ dataDir }, "recovered PostgreSQL in single-user mode");
    return true;
  }

  async #assertStopped(): Promise<void> {
    const { dataDir } = this.#options;
    if ((await findServer(dataDir)) !== undefined) {
      const message = `the server on ${dataDir} still runs`;
      throw new PgctldError(PgctldErrorCode.StillRunning, message);
    }
  }

  /** Runs what changes something: one at a time in this process, and among all processes. */
  async #change<T>(
    purpose: string,
    signal: AbortSignal | undefined,
    action: () => Promise<T>,
  ): Promise<T> {
    return await this.#turns.run(async () => {
      await this.#preparation.stateDirectory();
      const { stateDir, lockTimeoutMs: waitMs } = this.#options;
      const path = join(stateDir, "pgctld.lock");
      await using _ = await DirectoryLock.take({ path, purpose, waitMs }, { signal });
      return await action();
    }, signal);
  }
}

import { rm, unlink } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Binaries } from "./binaries.ts";
import { createDatabase, runSql, type SqlResultRow, type TemporaryDatabase } from "./database.ts";
import { EmbeddedPostgresError } from "./error.ts";
import { findFreePort, HOST } from "./network.ts";
import { mayServe } from "./processes.ts";
import type { RunAs } from "./run-as.ts";
import { ServerProcess, type ServerEnd, type StopMode } from "./server-process.ts";
import { classifyStartFailure, startError } from "./start-failure.ts";

const START_DEADLINE_MS = 60_000;
const PORT_ATTEMPTS = 10;
const ORPHAN_POLL_MS = 50;

/** What `startPostgres` has found out and prepared. */
export interface EmbeddedPostgresOptions {
  readonly binaries: Binaries;
  readonly runAs: RunAs;
  readonly dataDir: string;
  readonly socketDir: string;
  /** Directories that disposing removes. */
  readonly temporaryDirs: readonly string[];
  /** True when the data is thrown away with the server. */
  readonly temporaryData: boolean;
  /** Undefined: any free port. */
  readonly port: number | undefined;
  readonly user: string;
  readonly password: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly log: ((line: string) => void) | undefined;
}

/**
 * A real PostgreSQL server as a child process. It can be stopped or killed and started again on
 * the same data, port and socket. Calls of `start`, `stop` and `kill` wait for each other. The
 * server ends when this process ends, however that happens.
 */
export class EmbeddedPostgres implements AsyncDisposable {
  /** IPv4 loopback address on which the server listens. */
  readonly host: string = HOST;
  /** Name of the superuser. */
  readonly user: string;
  /** Password of the superuser; not asked for under `trust`. */
  readonly password: string;
  /** Absolute path of the data directory. */
  readonly dataDir: string;
  /** Directory of the unix socket, as libpq and `pg` want it for their `host`. */
  readonly socketDir: string;
  readonly #options: EmbeddedPostgresOptions;
  #port: number;
  #run: ServerProcess | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: EmbeddedPostgresOptions) {
    this.#options = options;
    this.user = options.user;
    this.password = options.password;
    this.dataDir = options.dataDir;
    this.socketDir = options.socketDir;
    this.#port = options.port ?? 0;
  }

  /** TCP port; stays the same over stop and start. */
  get port(): number {
    return this.#port;
  }

  /** Path of the unix socket. */
  get socketPath(): string {
    return join(this.socketDir, `.s.PGSQL.${this.#port}`);
  }

  /** Process id of the running server's main process. */
  get pid(): number | undefined {
    return this.#run?.running ? this.#run.pid : undefined;
  }

  /** Resolves when the main process of the run that is going on, or was last, has ended. */
  get ended(): Promise<ServerEnd> {
    if (this.#run === undefined) return Promise.reject(notRunning());
    return this.#run.ended;
  }

  /** The last lines of the server's log. */
  get logLines(): readonly string[] {
    return this.#run?.logLines ?? [];
  }

  /** Starts the server and waits until it takes connections; nothing to do when it runs. */
  start({ signal }: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#run?.running) return;
      const deadline = AbortSignal.timeout(START_DEADLINE_MS);
      await this.#launch(
        signal === undefined ? deadline : AbortSignal.any([signal, deadline]),
        deadline,
      );
    });
  }

  /**
   * Shuts the server down and waits for the end of all its processes; nothing to do when it does
   * not run. After 30 s it is shut down immediately, then killed.
   */
  stop(mode: StopMode = "fast"): Promise<void> {
    return this.#inTurn(async () => await this.#run?.stop(mode));
  }

  /** Kills the server with SIGKILL and waits for the end of all its processes. */
  kill(): Promise<void> {
    return this.#inTurn(async () => await this.#run?.kill());
  }

  /** Runs one statement as the superuser on a connection of its own and returns its rows. */
  async sql(
    statement: string,
    { database = "postgres", values }: { database?: string; values?: readonly unknown[] } = {},
  ): Promise<SqlResultRow[]> {
    if (this.pid === undefined) throw notRunning();
    return await runSql(this, database, statement, values);
  }

  /** Creates a database; disposing drops it, connections included. The name is generated if absent. */
  async createDatabase(name?: string): Promise<TemporaryDatabase> {
    if (this.pid === undefined) throw notRunning();
    return await createDatabase(this, name);
  }

  /** Stops the server and removes what was temporary. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop(this.#options.temporaryData ? "immediate" : "fast");
    for (const dir of this.#options.temporaryDirs) await rm(dir, { recursive: true, force: true });
  }

  async #launch(signal: AbortSignal, deadline: AbortSignal): Promise<void> {
    await this.#run?.gone;
    let portAttempts = this.#port === 0 ? PORT_ATTEMPTS : 1;
    let unlocked = false;
    for (;;) {
      const port = this.#port === 0 ? await findFreePort() : this.#port;
      const run = await this.#spawn(port);
      if (await this.#becomesReady(run, signal, deadline)) {
        this.#port = port;
        this.#run = run;
        return;
      }
      const failure = classifyStartFailure(run.logLines);
      if (failure.kind === "port-in-use" && --portAttempts > 0) continue;
      if (failure.kind === "orphans" && !deadline.aborted) {
        // No event tells the end of processes that are not our own.
        await delay(ORPHAN_POLL_MS, undefined, { signal });
        continue;
      }
      if (failure.kind === "locked" && !unlocked && !(await mayServe(failure.pid, this.dataDir))) {
        // The killed server's process id belongs to another program by now.
        await unlink(join(this.dataDir, "postmaster.pid"));
        unlocked = true;
        continue;
      }
      throw startError(failure, { dataDir: this.dataDir, port, log: run.logLines });
    }
  }

  async #becomesReady(
    run: ServerProcess,
    signal: AbortSignal,
    deadline: AbortSignal,
  ): Promise<boolean> {
    try {
      return await run.ready({ signal });
    } catch (error) {
      await run.kill();
      if (!deadline.aborted) throw error;
      throw new EmbeddedPostgresError(
        "start-timeout",
        `PostgreSQL was not ready within ${START_DEADLINE_MS / 1000} s: ${run.logLines.join("\n")}`,
      );
    }
  }

  async #spawn(port: number): Promise<ServerProcess> {
    const { binaries, runAs, temporaryDirs, temporaryData, settings, log } = this.#options;
    const all: Record<string, string> = {
      ...(temporaryData ? { fsync: "off", full_page_writes: "off" } : {}),
      ...settings,
      // Readiness and faults are read off the log.
      lc_messages: "C",
      log_destination: "stderr",
      logging_collector: "off",
      listen_addresses: HOST,
      port: String(port),
      unix_socket_directories: `"${this.socketDir}"`,
    };
    const args = Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    return await ServerProcess.spawn({
      runAs,
      program: binaries.postgres,
      args: ["-D", this.dataDir, ...args],
      temporaryDir: temporaryData ? temporaryDirs[0] : undefined,
      log,
    });
  }

  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(action, action);
    this.#last = turn;
    return turn;
  }
}

function notRunning(): EmbeddedPostgresError {
  return new EmbeddedPostgresError("not-running", "the PostgreSQL server is not running");
}

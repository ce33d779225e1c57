import { rm } from "node:fs/promises";
import { join } from "node:path";
import { createDatabase, runSql } from "./database.ts";
import type { SqlResultRow, TemporaryDatabase } from "./database.ts";
import { EmbeddedPostgresError } from "./error.ts";
import { launch } from "./launch.ts";
import type { LaunchPlan } from "./launch.ts";
import { HOST } from "./network.ts";
import type { ServerEnd, ServerProcess, StopMode } from "./server-process.ts";

/** What `startPostgres` has found out and prepared. */
export interface EmbeddedPostgresOptions {
  readonly plan: LaunchPlan;
  /** Directories that disposing removes. */
  readonly temporaryDirs: readonly string[];
  /** Undefined: any free port. */
  readonly port: number | undefined;
  readonly user: string;
  readonly password: string;
}

/**
 * A real PostgreSQL server as a child process. It can be stopped or killed and started again on
 * the same data, port and socket. Calls of `start`, `stop` and `kill` wait for each other. The
 * server ends when this process ends, however that happens.
 */
export class EmbeddedPostgres implements AsyncDisposable {
  readonly #plan: LaunchPlan;
  readonly #temporaryDirs: readonly string[];
  #port: number | undefined;
  #run: ServerProcess | undefined;
  #lastTurn: Promise<unknown> = Promise.resolve();
  /** IPv4 loopback address on which the server listens. */
  readonly host: string = HOST;
  /** Name of the superuser. */
  readonly user: string;
  /** Password of the superuser; not asked for under `trust`. */
  readonly password: string;

  constructor(options: EmbeddedPostgresOptions) {
    this.#plan = options.plan;
    this.#temporaryDirs = options.temporaryDirs;
    this.#port = options.port;
    this.user = options.user;
    this.password = options.password;
  }

  /** Absolute path of the data directory. */
  get dataDir(): string {
    return this.#plan.dataDir;
  }

  /** TCP port; known since the first start, and the same ever after. */
  get port(): number {
    if (this.#port === undefined) {
      throw notRunning();
    }
    return this.#port;
  }

  /** Directory of the unix socket, as libpq and `pg` want it for their `host`. */
  get socketDir(): string {
    return this.#plan.socketDir;
  }

  /** Path of the unix socket. */
  get socketPath(): string {
    return join(this.socketDir, `.s.PGSQL.${this.port}`);
  }

  /** Process id of the server's main process; undefined while none runs. */
  get pid(): number | undefined {
    return this.#run?.running ? this.#run.pid : undefined;
  }

  /** Resolves when the main process has ended; a start replaces the promise. */
  get ended(): Promise<ServerEnd> {
    if (this.#run === undefined) {
      throw notRunning();
    }
    return this.#run.ended;
  }

  /** Starts the server and waits until it takes connections; nothing to do while it runs. */
  start({ signal }: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#run?.running) {
        return;
      }
      const { run, port } = await launch(this.#plan, this.#port, { signal });
      this.#run = run;
      this.#port = port;
    });
  }

  /**
   * Shuts the server down and waits for the end of all its processes; nothing to do while it does
   * not run. After 30 s it is shut down immediately, then killed.
   */
  stop(mode: StopMode = "fast"): Promise<void> {
    return this.#inTurn(async () => await this.#run?.stop(mode));
  }

  /** Kills all processes of the server with SIGKILL and waits for their end. */
  kill(): Promise<void> {
    return this.#inTurn(async () => await this.#run?.kill());
  }

  /** Runs one statement as the superuser on a connection of its own and returns its rows. */
  async sql(
    statement: string,
    { database = "postgres", values }: { database?: string; values?: readonly unknown[] } = {},
  ): Promise<SqlResultRow[]> {
    if (this.pid === undefined) {
      throw notRunning();
    }
    return await runSql(this, database, statement, values);
  }

  /** Creates a database, under a generated name by default; disposing drops it, sessions included. */
  async createDatabase(name?: string): Promise<TemporaryDatabase> {
    if (this.pid === undefined) {
      throw notRunning();
    }
    return await createDatabase(this, name);
  }

  /** Stops the server and removes what was temporary. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop(this.#plan.temporaryDataDir === undefined ? "fast" : "immediate");
    for (const dir of this.#temporaryDirs) {
      await rm(dir, { recursive: true, force: true });
    }
  }

  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const turn = this.#lastTurn.then(action, action);
    this.#lastTurn = turn;
    return turn;
  }
}

function notRunning(): EmbeddedPostgresError {
  return new EmbeddedPostgresError("not-running", "the PostgreSQL server is not running");
}

import { readFile, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { LocalPostgres, PgctldError, PgctldErrorCode } from "@multipooler/pgctld";
import type { LocalPostgresOptions, ProgramEnd, StartRole, StopMode } from "@multipooler/pgctld";
import { createDatabase, runSql } from "./database.ts";
import type { SqlResultRow, TemporaryDatabase } from "./database.ts";
import { HOST } from "./free-port.ts";
import type { Guard } from "./guard.ts";

/** Which server it is, and what goes with it. */
export interface TestPostgresOptions {
  readonly server: LocalPostgresOptions;
  /** A directory to remove in the end. */
  readonly temporaryDir: string;
  /** Whether somebody needs the data afterwards. */
  readonly keepsData: boolean;
  readonly guard: Guard;
}

/**
 * A real PostgreSQL server that ends when this process ends, however that happens. It can be stopped
 * or killed and started again on the same data, port and socket.
 */
export class TestPostgres implements AsyncDisposable {
  readonly #options: TestPostgresOptions;
  /** Its control, as a daemon serves it. */
  readonly control: LocalPostgres;
  /** IPv4 loopback address on which the server listens. */
  readonly host: string = HOST;
  readonly port: number;
  /** Name of the superuser. */
  readonly user: string;
  /** Password of the superuser; not asked for under `trust`. */
  readonly password: string;
  /** Absolute path of the data directory. */
  readonly dataDir: string;

  constructor(options: TestPostgresOptions) {
    this.#options = options;
    this.control = new LocalPostgres(options.server);
    const { port, user = "postgres", password, dataDir } = options.server;
    this.port = port;
    this.user = user;
    this.password = password;
    this.dataDir = dataDir;
  }

  /** Path of the unix socket. */
  get socketPath(): string {
    return this.control.socketPath;
  }

  /** Directory of the unix socket, as libpq and `pg` want it for their `host`. */
  get socketDir(): string {
    return dirname(this.socketPath);
  }

  /** Process id of the server's main process; undefined while none runs. */
  get pid(): number | undefined {
    const { launched } = this.control;
    return launched?.isRunning === true ? launched.pid : undefined;
  }

  /** Resolves when the main process has ended; a start replaces the promise. */
  get ended(): Promise<ProgramEnd> {
    const { launched } = this.control;
    if (launched === undefined) {
      throw notRunning();
    }
    return launched.ended;
  }

  /** Starts the server and waits until it takes connections; nothing to do while it runs. */
  async start(): Promise<void> {
    await this.control.initialize();
    const { pid } = await this.control.start();
    if (pid !== this.control.launched?.pid) {
      throw new PgctldError(
        PgctldErrorCode.AlreadyRunning,
        `a PostgreSQL server (process ${pid}) already runs on ${this.dataDir}`,
      );
    }
  }

  /** Stops the server if it runs, and starts it. */
  async restart(request: { readonly role?: StartRole | undefined } = {}): Promise<void> {
    await this.control.restart(request);
  }

  /** Shuts the server down and waits for the end of all its processes; nothing to do while it does not run. */
  async stop(mode: StopMode = "fast"): Promise<void> {
    await this.control.stop({ mode });
  }

  /** Kills all processes of the server with SIGKILL and waits for their end. */
  async kill(): Promise<void> {
    await this.control.kill();
  }

  /** Resolves when new connections begin with the configuration as it is now. */
  async reload(): Promise<void> {
    await this.control.reload();
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

  /** The server's log so far; it has what a statement wrote as soon as that has answered. */
  async logLines(): Promise<string[]> {
    const text = await readFile(this.control.logPath, "utf8");
    return text.split("\n").slice(0, -1);
  }

  /** Creates a database, under a generated name by default; disposing drops it, sessions included. */
  async createDatabase(name?: string): Promise<TemporaryDatabase> {
    if (this.pid === undefined) {
      throw notRunning();
    }
    return await createDatabase(this, name);
  }

  /** Stops the server and removes what is temporary. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { keepsData, temporaryDir, guard } = this.#options;
    const { launched } = this.control;
    if (launched !== undefined) {
      // Another server may have been started on the data since this one died.
      await this.control.stop({ mode: keepsData ? "fast" : "immediate", pid: launched.pid });
    }
    await guard.release();
    await rm(temporaryDir, { recursive: true, force: true });
  }
}

function notRunning(): PgctldError {
  return new PgctldError(PgctldErrorCode.NotRunning, "the PostgreSQL server is not running");
}

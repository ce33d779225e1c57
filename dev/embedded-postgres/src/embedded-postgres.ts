import { readFile, rm } from "node:fs/promises";
import { LocalPostgres, PgctldError, PgctldErrorCode } from "@multipooler/pgctld";
import type {
  LocalPostgresOptions,
  PrimaryAddress,
  PostgresControl,
  ProgramEnd,
  StartRole,
  StopMode,
} from "@multipooler/pgctld";
import { createDatabase, runSql } from "./database.ts";
import type { SqlResultRow, TemporaryDatabase } from "./database.ts";
import { guard } from "./guard.ts";
import type { Guard } from "./guard.ts";
import { findFreePort, HOST } from "./network.ts";
import { controlOf } from "./server-control.ts";

const PORT_ATTEMPTS = 10;

/** What `startPostgres` has found out and prepared. */
export interface EmbeddedPostgresOptions {
  readonly server: Omit<LocalPostgresOptions, "port">;
  /** The directory that goes when this process dies; undefined when the data is to be kept. */
  readonly temporaryDataDir: string | undefined;
  /** Directories that disposing removes. */
  readonly temporaryDirs: readonly string[];
  /** Undefined: any free port. */
  readonly port: number | undefined;
  /** Undefined: what the data say. */
  readonly standbyOf: PrimaryAddress | undefined;
}

/** A server and what belongs to its runs. */
interface Controlled {
  readonly postgres: LocalPostgres;
  readonly port: number;
}

/** How a server is started. */
export interface ServerStart {
  /** Default: as it was left. */
  readonly role?: StartRole | undefined;
  readonly signal?: AbortSignal | undefined;
}

interface Run {
  readonly pid: number;
  readonly ended: Promise<ProgramEnd>;
  readonly guard: Guard;
  over: boolean;
}

/**
 * A real PostgreSQL server that ends when this process ends, however that happens. It can be stopped
 * or killed and started again on the same data, port and socket. Calls of `start`, `stop` and `kill`
 * wait for each other.
 */
export class EmbeddedPostgres implements AsyncDisposable {
  readonly #options: EmbeddedPostgresOptions;
  #controlled: Controlled | undefined;
  #run: Run | undefined;
  #lastTurn: Promise<unknown> = Promise.resolve();
  /** Resolves when a restart that is under way is over. */
  #restarting: Promise<void> | undefined;
  /** IPv4 loopback address on which the server listens. */
  readonly host: string = HOST;
  /** Name of the superuser. */
  readonly user: string;
  /** Password of the superuser; not asked for under `trust`. */
  readonly password: string;

  constructor(options: EmbeddedPostgresOptions) {
    this.#options = options;
    this.user = options.server.user ?? "postgres";
    this.password = options.server.password;
  }

  /** Absolute path of the data directory. */
  get dataDir(): string {
    return this.#options.server.dataDir;
  }

  /** TCP port; known since the first start, and the same ever after. */
  get port(): number {
    return this.#server().port;
  }

  /** Directory of the unix socket, as libpq and `pg` want it for their `host`. */
  get socketDir(): string {
    return this.#options.server.socketDir ?? "";
  }

  /** Path of the unix socket. */
  get socketPath(): string {
    return this.#server().postgres.socketPath;
  }

  /** Process id of the server's main process; undefined while none runs. */
  get pid(): number | undefined {
    return this.#run?.over === false ? this.#run.pid : undefined;
  }

  /** Resolves when the main process has ended; a start replaces the promise. */
  get ended(): Promise<ProgramEnd> {
    if (this.#run === undefined) {
      throw notRunning();
    }
    return this.#run.ended;
  }

  /** Resolves when the main process has ended and no restart brings it back. */
  async gone(): Promise<ProgramEnd> {
    for (;;) {
      const end = await this.ended;
      await this.#restarting;
      if (this.pid === undefined) {
        return end;
      }
    }
  }

  /** The server as a process-control daemon serves it. */
  get control(): PostgresControl {
    return controlOf(this, () => this.#server().postgres);
  }

  /** Starts the server and waits until it takes connections; nothing to do while it runs. */
  start(start: ServerStart = {}): Promise<void> {
    return this.#inTurn(async () => {
      if (this.pid === undefined) {
        this.#controlled = await this.#startOnPort(start);
      }
    });
  }

  /** Stops the server if it runs, and starts it; that is no end for who waits for `gone`. */
  restart({
    mode = "fast",
    ...start
  }: ServerStart & { mode?: StopMode | undefined } = {}): Promise<void> {
    return this.#inTurn(async () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#restarting = promise;
      try {
        await this.#stop(mode);
        this.#controlled = await this.#startOnPort(start);
      } finally {
        this.#restarting = undefined;
        resolve();
      }
    });
  }

  /**
   * Shuts the server down and waits for the end of all its processes; nothing to do while it does
   * not run. After 30 s it is shut down immediately, then killed.
   */
  stop(mode: StopMode = "fast"): Promise<void> {
    return this.#inTurn(async () => await this.#stop(mode));
  }

  /** Kills all processes of the server with SIGKILL and waits for their end. */
  kill(): Promise<void> {
    return this.#inTurn(async () => {
      if (await this.#isOurs()) {
        await this.#controlled?.postgres.kill();
      }
      await this.#release();
    });
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
    const text = await readFile(this.#server().postgres.logPath, "utf8");
    return text.split("\n").slice(0, -1);
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
    await this.stop(this.#options.temporaryDataDir === undefined ? "fast" : "immediate");
    for (const dir of this.#options.temporaryDirs) {
      await rm(dir, { recursive: true, force: true });
    }
  }

  /** Another port is tried where none is wanted and the chosen one was snatched. */
  async #startOnPort(start: ServerStart): Promise<Controlled> {
    const wanted = this.#controlled?.port ?? this.#options.port;
    for (let attempts = PORT_ATTEMPTS; ; attempts -= 1) {
      const port = wanted ?? (await findFreePort());
      const postgres = new LocalPostgres({ ...this.#options.server, port });
      try {
        await this.#start(postgres, start);
        return { postgres, port };
      } catch (error) {
        if (wanted === undefined && attempts > 1 && isPortInUse(error)) {
          continue;
        }
        throw error;
      }
    }
  }

  async #start(postgres: LocalPostgres, { role, signal }: ServerStart): Promise<void> {
    await postgres.initialize({}, { signal });
    const { standbyOf } = this.#options;
    if (standbyOf !== undefined && this.#run === undefined) {
      await postgres.follow(standbyOf, { signal });
    }
    const { alreadyRunning, pid } = await postgres
      .start({ role }, { signal })
      .catch(giveUp(postgres));
    const { launched } = postgres;
    if (alreadyRunning || launched === undefined) {
      throw new PgctldError(
        PgctldErrorCode.AlreadyRunning,
        `a PostgreSQL server (process ${pid}) already runs on ${this.dataDir}`,
      );
    }
    const run: Run = {
      ...launched,
      guard: guard(pid, this.#options.temporaryDataDir),
      over: false,
    };
    void launched.ended.then(() => {
      run.over = true;
    });
    this.#run = run;
  }

  async #stop(mode: StopMode): Promise<void> {
    if (await this.#isOurs()) {
      await this.#controlled?.postgres.stop({ mode });
    }
    await this.#release();
  }

  /** False when another server has taken over the data since this one died. */
  async #isOurs(): Promise<boolean> {
    const status = await this.#controlled?.postgres.status();
    switch (status?.state) {
      case undefined:
      case "not-initialized":
        return false;
      case "stopped":
        return true;
      case "starting":
      case "stopping":
      case "running":
        return status.pid === this.#run?.pid;
    }
  }

  /** The server has ended, and the guard has nobody to watch any more. */
  async #release(): Promise<void> {
    await this.#run?.ended;
    await this.#run?.guard.release();
  }

  #server(): Controlled {
    if (this.#controlled === undefined) {
      throw notRunning();
    }
    return this.#controlled;
  }

  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const turn = this.#lastTurn.then(action, action);
    this.#lastTurn = turn;
    return turn;
  }
}

/** A start that is given up leaves a server that goes on starting. */
function giveUp(postgres: LocalPostgres): (error: unknown) => Promise<never> {
  return async (error) => {
    if (postgres.launched !== undefined) {
      await postgres.kill();
    }
    throw error;
  };
}

function isPortInUse(error: unknown): boolean {
  return error instanceof PgctldError && error.code === PgctldErrorCode.PortInUse;
}

function notRunning(): PgctldError {
  return new PgctldError(PgctldErrorCode.NotRunning, "the PostgreSQL server is not running");
}

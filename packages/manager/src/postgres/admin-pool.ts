import { Deadline, untilAborted } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import pg from "pg";
import type { CallOptions } from "@multipooler/query-service";
import { adminClientConfig } from "./admin-client-config.ts";
import type { ServerConfig } from "./database-config.ts";
import { abortFault, dialFault, statementFault } from "./database-fault.ts";
import type { FaultContext } from "./database-fault.ts";
import { GuardedStream } from "./guarded-stream.ts";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import type { Row } from "./row.ts";
import { awaitClosed } from "./socket-closing.ts";

const IDLE_TIMEOUT_MS = 30_000;
/** PostgreSQL has the same limit, and its cancel is to come first: it leaves no process behind. */
const CUT_GRACE_MS = 250;

/** `pg` leaves the socket open when the client itself gives up, e.g. because it has no password. */
class AdminClient extends pg.Client {
  constructor(config?: pg.ClientConfig) {
    super(config);
    this.connection.on("error", () => this.connection.stream.destroy());
  }
}

export interface AdminPoolOptions {
  readonly config: ServerConfig;
  readonly clock: Clock;
  /** Called when an idle connection breaks: usually the first sign that the server went away. */
  readonly onConnectionLost: (error: Error) => void;
}

/** How one statement runs. */
export interface StatementOptions extends CallOptions {
  /** The longest that it may take once a connection is there. Default: the configured limit. */
  readonly timeoutMs?: number | undefined;
}

/**
 * The connections that the manager's own statements run on. Each statement is bounded on both
 * sides: PostgreSQL cancels it, and where PostgreSQL does not even do that, the connection is cut.
 */
export class AdminPool {
  readonly #context: FaultContext;
  readonly #pool: pg.Pool;
  readonly #sockets = new Set<GuardedStream>();
  /** How many connections broke; one that is older than the last break is not used again. */
  #breaks = 0;
  readonly #bornAfter = new WeakMap<pg.PoolClient, number>();
  #closed: Promise<void> | undefined;

  constructor({ config, clock, onConnectionLost }: AdminPoolOptions) {
    this.#context = { config, clock };
    this.#pool = new pg.Pool({
      ...adminClientConfig(config, "manager", config.statementTimeoutMs),
      Client: AdminClient,
      stream: () => this.#newSocket(),
      max: config.adminConnections,
      min: 1,
      idleTimeoutMillis: IDLE_TIMEOUT_MS,
    });
    // A statement learns of a broken connection from its own promise; the event, which comes too,
    // must find a listener.
    this.#pool.on("connect", (client) => {
      client.on("error", () => undefined);
      this.#bornAfter.set(client, this.#breaks);
    });
    this.#pool.on("error", (error) => {
      this.#breaks += 1;
      onConnectionLost(error);
    });
  }

  /**
   * Runs one statement and returns its rows. Rejects with a `ManagerError`: DATABASE_UNAVAILABLE
   * and the permanent faults where no connection was to be had, DATABASE_TIMEOUT, DATABASE_ERROR.
   */
  query(
    sql: string,
    values: readonly unknown[] = [],
    options: StatementOptions = {},
  ): Promise<readonly Row[]> {
    return this.#run(async (client) => {
      const { rows } = await client.query<Row>(sql, [...values]);
      return rows;
    }, options);
  }

  /** Runs several statements as one message and so as one transaction. Rejects as `query` does. */
  execute(script: string, options: StatementOptions = {}): Promise<void> {
    return this.#run(async (client) => {
      await client.query(script);
    }, options);
  }

  /** What to reject with when a caller's signal aborted before its statement ran. */
  abortFault({ reason }: AbortSignal): ManagerError {
    return abortFault(reason, this.#context);
  }

  /** Ends every connection; resolves when no socket is left. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#end();
    return this.#closed;
  }

  async #run<T>(
    work: (client: pg.PoolClient) => Promise<T>,
    { signal, timeoutMs = this.#context.config.statementTimeoutMs }: StatementOptions,
  ): Promise<T> {
    if (this.#closed !== undefined) {
      throw alreadyClosed();
    }
    const client = await this.#checkOut(signal);
    const running = this.#runOn(client, work, timeoutMs);
    if (signal === undefined) {
      return await running;
    }
    try {
      return await untilAborted(running, signal);
    } catch (error) {
      throw signal.aborted ? abortFault(signal.reason, this.#context) : error;
    }
  }

  /**
   * Runs on a connection and gives it back. Goes on when the caller has lost interest: it is bounded
   * anyway, and a connection that is cut in the middle leaves a backend that does not know yet.
   */
  async #runOn<T>(
    client: pg.PoolClient,
    work: (client: pg.PoolClient) => Promise<T>,
    timeoutMs: number,
  ): Promise<T> {
    const { clock } = this.#context;
    const ms = timeoutMs + CUT_GRACE_MS;
    using deadline = new Deadline({ clock, ms, what: "a statement" });
    try {
      const result = await untilAborted(work(client), deadline.signal);
      client.release();
      return result;
    } catch (error) {
      // A connection in an unknown state is cut, not reused: whatever still runs there ends by the
      // server's own limit.
      client.release(true);
      if (deadline.signal.aborted) {
        throw abortFault(deadline.signal.reason, this.#context);
      }
      const fault = statementFault(error, this.#context);
      if (fault.code === ManagerErrorCode.DatabaseUnavailable) {
        this.#breaks += 1;
      }
      throw fault;
    }
  }

  /** A server that cut one connection has likely cut the others too. */
  async #checkOut(signal: AbortSignal | undefined): Promise<pg.PoolClient> {
    for (;;) {
      const client = await this.#connect(signal);
      if (this.#bornAfter.get(client) === this.#breaks) {
        return client;
      }
      client.release(true);
    }
  }

  async #connect(signal: AbortSignal | undefined): Promise<pg.PoolClient> {
    const connecting = this.#pool.connect();
    try {
      if (signal === undefined) {
        return await connecting;
      }
      return await untilAborted(connecting, signal, (late) => late.release());
    } catch (error) {
      if (signal?.aborted === true) {
        throw abortFault(signal.reason, this.#context);
      }
      throw this.#closed === undefined ? await dialFault(error, this.#context) : alreadyClosed();
    }
  }

  #newSocket(): GuardedStream {
    const socket = new GuardedStream(this.#context.config);
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    return socket;
  }

  async #end(): Promise<void> {
    const ended = this.#pool.end();
    await awaitClosed(this.#sockets, this.#context.clock);
    await ended;
  }
}

function alreadyClosed(): ManagerError {
  return new ManagerError(ManagerErrorCode.NotOpen, "the connections to PostgreSQL are closed");
}

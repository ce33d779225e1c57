import type { AdminRow, Credential, DatabaseHandle } from "@multipooler/controller-api";
import { PoolerErrorCode } from "@multipooler/query-service";
import type { CallOptions } from "@multipooler/query-service";
import { Deadline } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { describeAddress } from "../address-text.ts";
import { readPassword } from "./admin-client-config.ts";
import { AdminPool } from "./admin-pool.ts";
import type { StatementOptions } from "./admin-pool.ts";
import type { ServerConfig } from "./database-config.ts";
import { DedicatedConnection } from "./dedicated-connection.ts";
import type { DedicatedOptions } from "./dedicated-connection.ts";
import type { DatabaseFacts } from "../database/managed-database.ts";
import { HandleError, asHandleError } from "./handle-error.ts";
import type { Logger } from "../logger.ts";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import type { Row } from "./row.ts";
import { FactsReader } from "./server-facts.ts";
import type { ServerFacts } from "./server-facts.ts";
import { ownConnections, ServerShare } from "./server-share.ts";
import { TurnLimit } from "./turn-limit.ts";

export interface PostgresServerOptions {
  readonly config: ServerConfig;
  readonly clock: Clock;
  readonly logger: Logger;
  /** A connection broke while nothing ran on it. */
  readonly onConnectionLost: () => void;
  /** The controller saw something that makes the server suspect. */
  readonly onSuspicion: () => void;
}

/**
 * One server at one IP address or socket, for as long as it stays the same: the connections for
 * administration, which are opened when they are first needed, and the handle that the controller
 * serves from. The manager's own connections have their place beside the controller's share, so
 * that queries never starve them.
 */
export class PostgresServer implements AsyncDisposable {
  readonly config: ServerConfig;
  readonly #clock: Clock;
  readonly #admin: AdminPool;
  readonly #facts: FactsReader;
  /** Of the controller's administrative statements: one connection is always the manager's own. */
  readonly #adminTurns: TurnLimit;
  #isClosed = false;
  readonly share: ServerShare;
  /** What the controller receives; the same object for as long as this server is used. */
  readonly handle: DatabaseHandle;

  constructor(options: PostgresServerOptions) {
    const { config, clock, logger, onConnectionLost, onSuspicion } = options;
    this.config = config;
    this.#clock = clock;
    const { adminConnections, maxConnections } = config;
    this.share = new ServerShare({
      ownConnections: ownConnections(adminConnections),
      maxConnections,
      clock,
      logger,
    });
    this.#adminTurns = new TurnLimit(adminConnections - 1);
    this.#admin = new AdminPool({ config, clock, onConnectionLost });
    this.#facts = new FactsReader({ place: describeAddress(config.address) });
    this.handle = {
      address: config.address,
      database: config.database,
      user: config.user,
      get tls() {
        return config.tls();
      },
      dialTimeoutMs: config.dialTimeoutMs,
      applicationName: config.applicationName,
      share: this.share,
      credential: async (user) => this.#credential(user),
      admin: (sql, values, call) => this.#runForController(sql, values, call),
      suspect: () => {
        // The next server is none of its business.
        if (!this.#isClosed) {
          onSuspicion();
        }
      },
    };
  }

  /** Asks the server what it is and adopts its limit on connections. Rejects with a `ManagerError`. */
  async readFacts({ signal }: CallOptions = {}): Promise<DatabaseFacts> {
    return this.#adopt(
      await this.#facts.read((sql, values, call) => this.#admin.query(sql, values, call), {
        signal,
      }),
    );
  }

  /** As {@link readFacts}, on a connection that is dialled for it and closed afterwards. */
  async probe({ signal }: CallOptions = {}): Promise<DatabaseFacts> {
    await using connection = await this.openDedicated("check", { signal });
    const ms = this.config.statementTimeoutMs;
    // An abort does not cut it short: its backend would not know at once.
    using bound = new Deadline({ clock: this.#clock, ms, what: "a statement" });
    return this.#adopt(
      await this.#facts.read((sql, values, call) => connection.query(sql, values, call), {
        signal: bound.signal,
      }),
    );
  }

  /**
   * Throws DATABASE_UNAVAILABLE where the server, as it last answered, grants too few connections
   * for even one query at a time.
   */
  requireConnections(): void {
    const { granted } = this.share;
    const least = ownConnections(this.config.adminConnections) + 1;
    if (granted >= least) {
      return;
    }
    throw new ManagerError(
      ManagerErrorCode.DatabaseUnavailable,
      `${this.config.place} grants ${granted} connections to ordinary roles, ` +
        `and a pooler needs at least ${least}; raise its max_connections`,
    );
  }

  /** Runs one administrative statement; see {@link AdminPool.query}. */
  query(
    sql: string,
    values?: readonly unknown[],
    options?: StatementOptions,
  ): Promise<readonly Row[]> {
    return this.#admin.query(sql, values, options);
  }

  /** Runs several administrative statements in one transaction; see {@link AdminPool.execute}. */
  execute(script: string, options?: StatementOptions): Promise<void> {
    return this.#admin.execute(script, options);
  }

  /** Opens a connection for durable writes, one check or replication. The caller closes it. */
  openDedicated(
    purpose: "heartbeat" | "check" | "replication",
    options?: DedicatedOptions,
  ): Promise<DedicatedConnection> {
    return DedicatedConnection.open({ config: this.config, clock: this.#clock }, purpose, options);
  }

  /** Ends the connections for administration; resolves when no socket is left. Idempotent. */
  close(): Promise<void> {
    this.#isClosed = true;
    this.share.close();
    return this.#admin.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #adopt({ facts, connectionLimit }: ServerFacts): DatabaseFacts {
    this.share.adoptServerLimit(connectionLimit);
    return facts;
  }

  #credential(user: string): Credential {
    const { place } = this.config;
    if (user !== this.config.user) {
      throw new HandleError(
        PoolerErrorCode.AuthenticationFailed,
        `no credential of user "${user}" for ${place} is configured`,
      );
    }
    try {
      const password = readPassword(this.config);
      return password === undefined || password === ""
        ? { type: "none" }
        : { type: "password", password };
    } catch (error) {
      throw asHandleError(error);
    }
  }

  /** So that the manager always finds a connection for its own statements, never on all at once. */
  async #runForController(
    sql: string,
    values: readonly unknown[],
    { signal }: CallOptions = {},
  ): Promise<readonly AdminRow[]> {
    try {
      const pass = await this.#adminTurns.take(signal);
      try {
        return await this.#admin.query(sql, values, { signal });
      } finally {
        pass();
      }
    } catch (error) {
      throw asHandleError(signal?.aborted === true ? this.#admin.abortFault(signal) : error);
    }
  }
}

import type { CallOptions, DatabaseHandle } from "@multipooler/controller-api";
import type { Clock } from "@multipooler/timing";
import { AdminPool } from "./admin-pool.ts";
import type { StatementOptions } from "./admin-pool.ts";
import { ServerBudget } from "./connection-budget.ts";
import { ADMIN_CONNECTIONS, describeAddress } from "./database-config.ts";
import type { ResolvedDatabaseConfig } from "./database-config.ts";
import { DedicatedConnection } from "./dedicated-connection.ts";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import { booleanOf, integerOf, onlyRow, textOf } from "./row.ts";
import type { Row } from "./row.ts";

/** What the server says of itself. */
export interface DatabaseFacts {
  readonly inRecovery: boolean;
  /** E.g. "17.6". */
  readonly serverVersion: string;
}

/** What a {@link Database} is made of. */
export interface DatabaseOptions {
  readonly config: ResolvedDatabaseConfig;
  readonly clock: Clock;
  /** Called when a connection breaks while nothing runs on it. */
  readonly onConnectionLost: (error: Error) => void;
}

// `reserved_connections` is new in PostgreSQL 16.
const FACTS_SQL = `
  SELECT pg_is_in_recovery() AS in_recovery,
         current_setting('server_version') AS server_version,
         current_setting('max_connections')::int
           - current_setting('superuser_reserved_connections')::int
           - coalesce(current_setting('reserved_connections', true), '0')::int
           AS connection_limit`;

/** How long it may take to find out why a dial failed. */
const DIAGNOSIS_MS = 2_000;

/**
 * The one way to the database: its settings, the connections for administration, and the budget
 * that the connections of every component count in. The manager's own {@link ADMIN_CONNECTIONS}
 * are set aside in the budget whether they are open or not, so that queries can never starve them.
 */
export class Database implements AsyncDisposable {
  readonly #config: ResolvedDatabaseConfig;
  readonly #clock: Clock;
  readonly #budget: ServerBudget;
  readonly #admin: AdminPool;
  /** What the controller receives; the same object for as long as this database is open. */
  readonly handle: DatabaseHandle;
  /** The longest that {@link readFacts} may take with a dial, its diagnosis included. */
  readonly reconnectTimeoutMs: number;

  constructor({ config, clock, onConnectionLost }: DatabaseOptions) {
    this.#config = config;
    this.#clock = clock;
    this.#budget = new ServerBudget({
      maxConnections: config.maxConnections,
      reserved: ADMIN_CONNECTIONS,
    });
    this.#admin = new AdminPool({ config, clock, onConnectionLost });
    this.reconnectTimeoutMs = config.dialTimeoutMs + config.statementTimeoutMs + DIAGNOSIS_MS;
    this.handle = {
      address: config.address,
      database: config.database,
      user: config.user,
      password: config.password,
      dialTimeoutMs: config.dialTimeoutMs,
      budget: this.#budget,
    };
  }

  /**
   * Asks the server what it is, connecting first where that is needed, and adopts its limit on
   * connections. Rejects with a `ManagerError`.
   */
  async readFacts({ signal }: CallOptions = {}): Promise<DatabaseFacts> {
    const row = onlyRow(await this.#admin.query(FACTS_SQL, [], { signal }));
    this.#budget.adoptServerLimit(integerOf(row, "connection_limit"));
    return {
      inRecovery: booleanOf(row, "in_recovery"),
      serverVersion: textOf(row, "server_version"),
    };
  }

  /**
   * Throws DATABASE_UNAVAILABLE where the server, as it last answered, grants too few connections
   * for even one query at a time.
   */
  requireConnections(): void {
    const needed = ADMIN_CONNECTIONS + 1;
    const { limit } = this.#budget;
    if (limit >= needed) {
      return;
    }
    throw new ManagerError(
      ManagerErrorCode.DatabaseUnavailable,
      `PostgreSQL at ${describeAddress(this.#config.address)} grants ${limit} connections to ` +
        `ordinary roles, and a pooler needs at least ${needed}; raise its max_connections`,
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

  /** Opens the connection for durable writes. The caller closes it, and opens one at a time. */
  openDedicated(options?: CallOptions): Promise<DedicatedConnection> {
    return DedicatedConnection.open({ config: this.#config, clock: this.#clock }, options);
  }

  /** Ends the connections for administration; resolves when no socket is left. Idempotent. */
  close(): Promise<void> {
    return this.#admin.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

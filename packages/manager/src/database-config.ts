import type { DatabaseAddress } from "@multipooler/controller-api";

/** How to reach the database. Durations in milliseconds. */
export interface DatabaseConfig {
  /** For a unix socket the path of the socket itself, which PostgreSQL names `.s.PGSQL.<port>`. */
  readonly address: DatabaseAddress;
  readonly database: string;
  readonly user: string;
  /** Asked at each dial and never kept. `undefined` when the server asks for no password. */
  readonly password: () => string | undefined;
  /** The longest that one dial, authentication included, may take: 1 to 600000, default 5000. */
  readonly dialTimeoutMs?: number | undefined;
  /** The longest that one administrative statement may take: 1 to 60000, default 500. */
  readonly statementTimeoutMs?: number | undefined;
  /**
   * An upper bound on the connections of the whole process, below what the server grants; at least
   * 4 (three are for administration). Default: what the server grants to ordinary roles.
   */
  readonly maxConnections?: number | undefined;
}

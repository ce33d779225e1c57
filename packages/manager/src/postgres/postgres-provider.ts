import { isDeepStrictEqual } from "node:util";
import type { DatabaseProvider } from "../database/managed-database.ts";
import { resolveDatabaseConfig } from "./database-config.ts";
import type { DatabaseConfig } from "./database-config.ts";
import { PostgresDatabase } from "./postgres-database.ts";

/** How many addresses of one name a check has time for, the slowest way. */
const MAX_ADDRESSES = 4;
/** How long it may take to find out why a dial failed. */
const DIAGNOSIS_MS = 2_000;

/** A PostgreSQL that may get another address while the manager runs. */
export interface PostgresProvider extends DatabaseProvider {
  /**
   * Checks a place, and returns what puts it in place of the one before; nothing where the address is the
   * same. From then on nothing new is served from a server elsewhere, which is let go after a drain. It is
   * the same cluster that has to be there.
   *
   * @throws INVALID_CONFIG; then nothing has changed
   */
  preparePlace(place: DatabasePlace): () => void;
}

/** Where a PostgreSQL is, with what only holds there. */
export type DatabasePlace = Pick<DatabaseConfig, "address" | "password" | "tls">;

/** A PostgreSQL for a manager. Throws INVALID_CONFIG, naming the setting. Does no I/O. */
export function postgresDatabase(config: DatabaseConfig): PostgresProvider {
  let resolved = resolveDatabaseConfig(config);
  const { dialTimeoutMs, statementTimeoutMs } = resolved;
  const opened = new Set<PostgresDatabase>();
  return {
    get address() {
      return resolved.address;
    },
    database: resolved.database,
    connectTimeoutMs: MAX_ADDRESSES * (dialTimeoutMs + statementTimeoutMs + DIAGNOSIS_MS),
    open(context) {
      const onClosed = (): void => void opened.delete(database);
      const database = new PostgresDatabase({ config: () => resolved, context, onClosed });
      opened.add(database);
      return database;
    },
    preparePlace(place) {
      const next = resolveDatabaseConfig({ ...config, ...place });
      return () => {
        const before = resolved;
        if (isDeepStrictEqual(before.address, next.address)) {
          return;
        }
        resolved = next;
        for (const database of opened) {
          database.moved(before);
        }
      };
    },
  };
}

import type { TestPostgres } from "@multipooler/test-postgres";
import { systemClock } from "@multipooler/timing";
import { applicationNamePrefix } from "../src/postgres/admin-client-config.ts";
import { describeAddress } from "../src/address-text.ts";
import { resolveDatabaseConfig } from "../src/postgres/database-config.ts";
import { PostgresServer } from "../src/postgres/postgres-server.ts";
import { RecordingLogger } from "./recording-logger.ts";
import type { DatabaseConfig } from "../src/postgres/database-config.ts";

/** How to reach a database of a test server over TCP. */
export function configFor(postgres: TestPostgres, database = "postgres"): DatabaseConfig {
  return {
    address: { type: "tcp", host: postgres.host, port: postgres.port },
    database,
    user: postgres.user,
    password: () => postgres.password,
  };
}

/** A server as a manager uses it, over TCP. */
export function serverFor(
  postgres: TestPostgres,
  name: string,
  {
    onConnectionLost = () => undefined,
    ...config
  }: Partial<DatabaseConfig> & { readonly onConnectionLost?: () => void } = {},
): PostgresServer {
  const resolved = resolveDatabaseConfig({ ...configFor(postgres, name), ...config });
  return new PostgresServer({
    config: {
      ...resolved,
      place: `PostgreSQL at ${describeAddress(resolved.address)}`,
      applicationName: applicationNamePrefix("zone1_a"),
    },
    clock: systemClock,
    logger: new RecordingLogger(),
    onConnectionLost,
    onSuspicion: () => undefined,
  });
}

/** How many connections of managers the server has to a database. */
export async function managerConnections(
  postgres: TestPostgres,
  database: string,
): Promise<unknown> {
  const [row] = await postgres.sql(
    `SELECT count(*)::int AS connections FROM pg_stat_activity
     WHERE application_name LIKE 'multipooler %' AND datname = $1`,
    { values: [database] },
  );
  return row?.["connections"];
}

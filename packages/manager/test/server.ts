import type { EmbeddedPostgres } from "@multipooler/embedded-postgres";
import type { DatabaseConfig } from "../src/database/database-config.ts";

/** How to reach a database of a test server over TCP. */
export function configFor(postgres: EmbeddedPostgres, database = "postgres"): DatabaseConfig {
  return {
    address: { type: "tcp", host: postgres.host, port: postgres.port },
    database,
    user: postgres.user,
    password: () => postgres.password,
  };
}

/** How many connections of managers the server has to a database. */
export async function managerConnections(
  postgres: EmbeddedPostgres,
  database: string,
): Promise<unknown> {
  const [row] = await postgres.sql(
    `SELECT count(*)::int AS connections FROM pg_stat_activity
     WHERE application_name = 'multipooler' AND datname = $1`,
    { values: [database] },
  );
  return row?.["connections"];
}

import type { TestPostgres } from "@multipooler/test-postgres";

/** The flags of a primary in front of this server. */
export function flagsFor(postgres: TestPostgres): Record<string, string> {
  return {
    "pg-host": postgres.host,
    "pg-port": String(postgres.port),
    "initial-pooler-type": "primary",
    "service-id": "e2e",
  };
}

/** Sessions that the pooler holds, by what they call themselves in `pg_stat_activity`. */
export async function sessions(postgres: TestPostgres): Promise<number> {
  const [row] = await postgres.sql(
    `select count(*)::int as n from pg_stat_activity
     where backend_type = 'client backend' and pid <> pg_backend_pid()`,
  );
  return Number(row?.["n"]);
}

import type { CallOptions } from "@multipooler/query-service";
import type { StatementOptions } from "./admin-pool.ts";
import { SqlState } from "./database-fault.ts";
import { ManagerError } from "../manager-error.ts";
import { booleanOf, onlyRow } from "./row.ts";
import type { Row } from "./row.ts";

/** Runs the statements of this file: a `PostgresServer`. */
export interface StatementRunner {
  query(
    sql: string,
    values?: readonly unknown[],
    options?: StatementOptions,
  ): Promise<readonly Row[]>;
  execute(script: string, options?: StatementOptions): Promise<void>;
}

/** The table that heartbeats go through. */
export const HEARTBEAT_TABLE = "multigres.heartbeat";

const CREATE_TIMEOUT_MS = 5_000;

// One transaction, since one message. It must not wait for a standby: what a failover loses is
// created again by the next primary.
const CREATE_SQL = `
  SET LOCAL synchronous_commit = local;
  SET LOCAL statement_timeout = ${CREATE_TIMEOUT_MS};
  CREATE SCHEMA IF NOT EXISTS multigres;
  CREATE TABLE IF NOT EXISTS ${HEARTBEAT_TABLE} (
    shard_id bytea PRIMARY KEY,
    leader_id text NOT NULL,
    ts bigint NOT NULL
  )`;

/**
 * Makes sure that a primary has the sidecar schema. Idempotent; several managers may do it at once.
 * Rejects with a `ManagerError`, as any statement does.
 */
export async function ensureSidecarSchema(
  database: StatementRunner,
  { signal }: CallOptions = {},
): Promise<void> {
  if (await sidecarExists(database, { signal })) {
    return;
  }
  try {
    await database.execute(CREATE_SQL, { signal, timeoutMs: CREATE_TIMEOUT_MS });
  } catch (error) {
    // IF NOT EXISTS looks before it creates, so of two at once the slower one fails on the catalogs'
    // unique indexes. What matters is that the table is there.
    if (!isCreationRace(error) || !(await sidecarExists(database, { signal }))) {
      throw error;
    }
  }
}

async function sidecarExists(database: StatementRunner, options: CallOptions): Promise<boolean> {
  const sql = "SELECT to_regclass($1) IS NOT NULL AS found";
  return booleanOf(onlyRow(await database.query(sql, [HEARTBEAT_TABLE], options)), "found");
}

function isCreationRace(error: unknown): boolean {
  if (!(error instanceof ManagerError)) {
    return false;
  }
  return (
    error.sqlState === SqlState.UniqueViolation ||
    error.sqlState === SqlState.DuplicateSchema ||
    error.sqlState === SqlState.DuplicateTable
  );
}

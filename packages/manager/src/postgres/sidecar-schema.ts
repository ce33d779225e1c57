import type { CallOptions } from "@multipooler/query-service";
import type { StatementOptions } from "./admin-pool.ts";
import { SqlState } from "./database-fault.ts";
import { ManagerError } from "../manager-error.ts";
import { booleanOf, integerOf, onlyRow } from "./row.ts";
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
/** Which client each connection of a pooler serves; the query path writes it. */
const VIRTUAL_PID_TABLE = "multigres.backend_vpid";
const VERSION_TABLE = "multigres.multipooler_schema";

/**
 * What makes each version of the schema of the one before, the first of nothing. Each may run again over
 * what it made, and leaves what poolers of older versions use.
 */
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE IF NOT EXISTS ${HEARTBEAT_TABLE} (
     shard_id bytea PRIMARY KEY,
     leader_id text NOT NULL,
     ts bigint NOT NULL
   )`,
  // Multigres' poolers of 2025 kept the term here. It is in the pooler's own directory.
  `ALTER TABLE ${HEARTBEAT_TABLE} DROP COLUMN IF EXISTS leader_term`,
  // Rows are of processes that end with the server, so that no WAL has to keep them. They change with
  // each use of a connection, and clients may read them.
  `CREATE UNLOGGED TABLE IF NOT EXISTS ${VIRTUAL_PID_TABLE} (
     backend_pid integer PRIMARY KEY,
     vpid bigint NOT NULL,
     updated_at timestamptz NOT NULL DEFAULT now()
   );
   ALTER TABLE ${VIRTUAL_PID_TABLE} SET (
     autovacuum_vacuum_scale_factor = 0,
     autovacuum_vacuum_threshold = 100,
     autovacuum_analyze_scale_factor = 0,
     autovacuum_analyze_threshold = 100
   );
   GRANT USAGE ON SCHEMA multigres TO PUBLIC;
   REVOKE ALL ON TABLE ${VIRTUAL_PID_TABLE} FROM PUBLIC;
   GRANT SELECT ON TABLE ${VIRTUAL_PID_TABLE} TO PUBLIC`,
];

/** The version that this pooler needs. */
export const SIDECAR_VERSION: number = MIGRATIONS.length;

const MIGRATE_TIMEOUT_MS = 5_000;
/** Of the lock that managers take to migrate one after the other. */
const LOCK_KEY = 0x6d_70_73_63;

// One transaction, since one message. It must not wait for a standby: what a failover loses is
// created again by the next primary.
const MIGRATE_SQL = `
  SET LOCAL synchronous_commit = local;
  SET LOCAL statement_timeout = ${MIGRATE_TIMEOUT_MS};
  SELECT pg_advisory_xact_lock(${LOCK_KEY});
  CREATE SCHEMA IF NOT EXISTS multigres;
  CREATE TABLE IF NOT EXISTS ${VERSION_TABLE} (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    version integer NOT NULL
  );
  ${MIGRATIONS.join(";\n  ")};
  INSERT INTO ${VERSION_TABLE} AS known (version) VALUES (${SIDECAR_VERSION})
  ON CONFLICT (is_only) DO UPDATE SET version = greatest(known.version, EXCLUDED.version)`;

const FOUND_SQL = `
  SELECT to_regclass('${HEARTBEAT_TABLE}') IS NOT NULL AS usable,
         to_regclass('${VERSION_TABLE}') IS NOT NULL AS versioned`;

/** What is there of the schema. */
interface FoundSchema {
  /** Whether heartbeats can be written and read. */
  readonly isUsable: boolean;
  /** 0 where nobody noted one, and where the table is gone. */
  readonly version: number;
}

/**
 * Makes sure that a primary has the sidecar schema, in this version or a newer one. Idempotent; several
 * managers may do it at once. A role that may not change it goes on with what is there.
 *
 * Rejects with a `ManagerError`, as any statement does.
 */
export async function ensureSidecarSchema(
  database: StatementRunner,
  { signal }: CallOptions = {},
): Promise<void> {
  const before = await findSchema(database, { signal });
  if (before.version >= SIDECAR_VERSION) {
    return;
  }
  try {
    await database.execute(MIGRATE_SQL, { signal, timeoutMs: MIGRATE_TIMEOUT_MS });
  } catch (error) {
    if (before.isUsable && isNotAllowed(error)) {
      return;
    }
    // IF NOT EXISTS looks before it creates, and a pooler of an older version takes no lock: then the
    // slower one fails on the catalogs' unique indexes. What matters is that the table is there.
    if (!isCreationRace(error) || !(await findSchema(database, { signal })).isUsable) {
      throw error;
    }
  }
}

async function findSchema(database: StatementRunner, options: CallOptions): Promise<FoundSchema> {
  const found = onlyRow(await database.query(FOUND_SQL, [], options));
  const isUsable = booleanOf(found, "usable");
  if (!isUsable || !booleanOf(found, "versioned")) {
    return { isUsable, version: 0 };
  }
  const sql = `SELECT coalesce(max(version), 0) AS version FROM ${VERSION_TABLE}`;
  const row = onlyRow(await database.query(sql, [], options));
  return { isUsable, version: integerOf(row, "version") };
}

function isNotAllowed(error: unknown): boolean {
  return error instanceof ManagerError && error.sqlState === SqlState.InsufficientPrivilege;
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

import type { DatabaseSync } from "node:sqlite";
import { TopoError, TopoErrorCode } from "../error.ts";

/** What marks a file as a topology, in its header: "mplt". */
const APPLICATION_ID = 0x6d70_6c74;
/** The form of the tables below. */
const FORMAT_VERSION = 1;

const TABLES = `
  CREATE TABLE store (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    revision INTEGER NOT NULL,      -- of the last change
    forgotten INTEGER NOT NULL,     -- the last deletion that is no longer in "deletions"
    last_lease INTEGER NOT NULL
  ) STRICT;
  INSERT INTO store VALUES (1, 1, 0, 0);

  CREATE TABLE leases (
    id INTEGER PRIMARY KEY,
    ttl_ms INTEGER NOT NULL,
    expires_at INTEGER NOT NULL     -- milliseconds since the epoch
  ) STRICT;
  CREATE INDEX leases_by_expiry ON leases (expires_at);

  CREATE TABLE keys (
    key TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    create_version INTEGER NOT NULL,
    lease INTEGER REFERENCES leases (id),
    value BLOB NOT NULL
  ) STRICT;
  CREATE INDEX keys_by_version ON keys (version);
  CREATE INDEX keys_by_lease ON keys (lease) WHERE lease IS NOT NULL;

  CREATE TABLE deletions (
    version INTEGER PRIMARY KEY,
    key TEXT NOT NULL
  ) STRICT;
`;

/** Makes a new file a topology, and refuses a file that is something else. */
export function prepareSchema(database: DatabaseSync, path: string): void {
  // A commit is on the disk when it returns: revisions must not go back, even after a power cut.
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON");
  if (isPrepared(database, path)) {
    return;
  }
  database.exec("BEGIN IMMEDIATE");
  try {
    // Another process may have been faster.
    if (!isPrepared(database, path)) {
      database.exec(TABLES);
      database.exec(
        `PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${FORMAT_VERSION}`,
      );
    }
    database.exec("COMMIT");
  } catch (error) {
    if (database.isTransaction) {
      database.exec("ROLLBACK");
    }
    throw error;
  }
}

function isPrepared(database: DatabaseSync, path: string): boolean {
  const id = numberOf(database, "PRAGMA application_id", "application_id");
  const version = numberOf(database, "PRAGMA user_version", "user_version");
  const count = numberOf(database, "SELECT count(*) AS count FROM sqlite_schema", "count");
  if (id === 0 && version === 0 && count === 0) {
    return false;
  }
  if (id !== APPLICATION_ID) {
    throw refusal(path, "is the database of another program");
  }
  if (version !== FORMAT_VERSION) {
    throw refusal(path, `has format ${version}, not ${FORMAT_VERSION}`);
  }
  return true;
}

function numberOf(database: DatabaseSync, sql: string, column: string): number {
  return Number(database.prepare(sql).get()?.[column]);
}

function refusal(path: string, message: string): TopoError {
  return new TopoError({ code: TopoErrorCode.InvalidArgument, key: path, message });
}

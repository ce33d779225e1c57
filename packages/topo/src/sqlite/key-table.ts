import type { DatabaseSync, SQLOutputValue, StatementSync } from "node:sqlite";
import { TopoError, TopoErrorCode } from "../error.ts";
import type { KeyValue, Version } from "../key-value.ts";

/** How many deletions are kept for watches that have not seen them. */
const KEPT_DELETIONS = 1000n;

/** A change, for a watch to tell. */
export type Change =
  | { readonly type: "put"; readonly version: Version; readonly entry: KeyValue }
  | { readonly type: "delete"; readonly version: Version; readonly key: string };

type Row = Readonly<Record<string, SQLOutputValue>>;

const COLUMNS = "key, value, version, create_version";

/** The statements on the tables of a topology. Each is for use within a transaction. */
export class KeyTable {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** A number that changes whenever another connection has changed the file. */
  dataVersion(): bigint {
    return integer(this.#row("PRAGMA data_version"), "data_version");
  }

  revision(): Version {
    return integer(this.#row("SELECT revision FROM store"), "revision");
  }

  get(key: string): KeyValue | undefined {
    const row = this.#row(`SELECT ${COLUMNS} FROM keys WHERE key = ?`, key);
    return row && keyValueOf(row);
  }

  list(prefix: string): KeyValue[] {
    const sql = `SELECT ${COLUMNS} FROM keys WHERE key >= ? AND key < ? ORDER BY key`;
    return this.#rows(sql, prefix, endOf(prefix)).map(keyValueOf);
  }

  create(key: string, value: Uint8Array, lease: bigint | undefined): Version {
    this.#expectLease(key, lease);
    if (this.#has("SELECT 1 FROM keys WHERE key = ?", key)) {
      throw error(TopoErrorCode.NodeExists, key, "exists already");
    }
    const version = this.#nextRevision();
    const sql = "INSERT INTO keys (key, version, create_version, lease, value) VALUES (?,?,?,?,?)";
    this.#run(sql, key, version, version, lease ?? null, value);
    return version;
  }

  put(
    key: string,
    value: Uint8Array,
    expected: Version | undefined,
    lease: bigint | undefined,
  ): Version {
    this.#expectLease(key, lease);
    if (expected !== undefined) {
      this.#expect(key, expected);
    }
    const version = this.#nextRevision();
    this.#run(
      `INSERT INTO keys (key, version, create_version, lease, value) VALUES (?1, ?2, ?2, ?4, ?3)
       ON CONFLICT (key) DO UPDATE SET version = ?2, lease = ?4, value = ?3`,
      key,
      version,
      value,
      lease ?? null,
    );
    return version;
  }

  delete(key: string, expected: Version | undefined): void {
    this.#expect(key, expected);
    this.#remove(key);
  }

  /** What changed after a revision, in order; `undefined` where that is no longer known. */
  changesSince(revision: Version): Change[] | undefined {
    const forgotten = integer(this.#row("SELECT forgotten FROM store"), "forgotten");
    if (forgotten > revision) {
      return undefined;
    }
    const puts = this.#rows(`SELECT ${COLUMNS} FROM keys WHERE version > ?`, revision);
    const gone = this.#rows("SELECT version, key FROM deletions WHERE version > ?", revision);
    const changes: Change[] = [
      ...puts
        .map(keyValueOf)
        .map((entry): Change => ({ type: "put", version: entry.version, entry })),
      ...gone.map(deletionOf),
    ];
    return changes.toSorted((a, b) => (a.version < b.version ? -1 : 1));
  }

  grant(ttlMs: number, now: number): bigint {
    const sql = "UPDATE store SET last_lease = last_lease + 1 RETURNING last_lease";
    const id = integer(this.#row(sql), "last_lease");
    this.#run(
      "INSERT INTO leases (id, ttl_ms, expires_at) VALUES (?, ?, ?)",
      id,
      ttlMs,
      now + ttlMs,
    );
    return id;
  }

  renew(id: bigint, now: number): boolean {
    const sql = "UPDATE leases SET expires_at = ? + ttl_ms WHERE id = ? AND expires_at > ?";
    return this.#run(sql, now, id, now) > 0n;
  }

  revoke(id: bigint): void {
    for (const row of this.#rows("SELECT key FROM keys WHERE lease = ?", id)) {
      this.#remove(text(row, "key"));
    }
    this.#run("DELETE FROM leases WHERE id = ?", id);
  }

  /** When the next lease expires; `undefined` where there is none. */
  nextExpiry(): number | undefined {
    const next = this.#row("SELECT min(expires_at) AS next FROM leases")?.["next"];
    return typeof next === "bigint" ? Number(next) : undefined;
  }

  /** Ends the leases that have expired. */
  expire(now: number): void {
    for (const row of this.#rows("SELECT id FROM leases WHERE expires_at <= ?", now)) {
      this.revoke(integer(row, "id"));
    }
  }

  #remove(key: string): void {
    const version = this.#nextRevision();
    this.#run("DELETE FROM keys WHERE key = ?", key);
    this.#run("INSERT INTO deletions (version, key) VALUES (?, ?)", version, key);
    const sql = `DELETE FROM deletions WHERE version <=
      (SELECT version FROM deletions ORDER BY version DESC LIMIT 1 OFFSET ?) RETURNING version`;
    for (const row of this.#rows(sql, KEPT_DELETIONS)) {
      this.#run("UPDATE store SET forgotten = max(forgotten, ?)", integer(row, "version"));
    }
  }

  #nextRevision(): Version {
    const sql = "UPDATE store SET revision = revision + 1 RETURNING revision";
    return integer(this.#row(sql), "revision");
  }

  #expectLease(key: string, lease: bigint | undefined): void {
    if (lease !== undefined && !this.#has("SELECT 1 FROM leases WHERE id = ?", lease)) {
      throw error(TopoErrorCode.SessionLost, key, "the session has ended");
    }
  }

  #expect(key: string, expected: Version | undefined): void {
    const row = this.#row("SELECT version FROM keys WHERE key = ?", key);
    if (row === undefined) {
      throw error(TopoErrorCode.NoNode, key, "does not exist");
    }
    const version = integer(row, "version");
    if (expected === undefined || version === expected) {
      return;
    }
    throw error(TopoErrorCode.BadVersion, key, `has version ${version}, not ${expected} any more`);
  }

  #has(sql: string, value: string | bigint): boolean {
    return this.#row(sql, value) !== undefined;
  }

  #row(sql: string, ...values: readonly SqlInput[]): Row | undefined {
    return this.#statement(sql).get(...values);
  }

  #rows(sql: string, ...values: readonly SqlInput[]): Row[] {
    return this.#statement(sql).all(...values);
  }

  #run(sql: string, ...values: readonly SqlInput[]): bigint {
    return BigInt(this.#statement(sql).run(...values).changes);
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) {
      return known;
    }
    const statement = this.#database.prepare(sql);
    statement.setReadBigInts(true);
    this.#statements.set(sql, statement);
    return statement;
  }
}

type SqlInput = string | bigint | number | null | Uint8Array;

/** The least text that is greater than every key with the prefix. */
function endOf(prefix: string): string {
  return `${prefix}\u{10FFFF}`;
}

function keyValueOf(row: Row): KeyValue {
  const value = row["value"];
  if (!(value instanceof Uint8Array)) {
    throw new TypeError("the value of a key is no blob");
  }
  return {
    key: text(row, "key"),
    value,
    version: integer(row, "version"),
    createVersion: integer(row, "create_version"),
  };
}

function deletionOf(row: Row): Change {
  return { type: "delete", version: integer(row, "version"), key: text(row, "key") };
}

function integer(row: Row | undefined, column: string): bigint {
  const value = row?.[column];
  if (typeof value !== "bigint") {
    throw new TypeError(`${column} is no integer`);
  }
  return value;
}

function text(row: Row, column: string): string {
  const value = row[column];
  if (typeof value !== "string") {
    throw new TypeError(`${column} is no text`);
  }
  return value;
}

function error(code: TopoErrorCode, key: string, message: string): TopoError {
  return new TopoError({ code, key, message });
}

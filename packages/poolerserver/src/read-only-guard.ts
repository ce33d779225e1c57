import { SqlScanner, toSqlText } from "@multipooler/pgwire";
import type { SqlTokenKind } from "@multipooler/pgwire";

const READ_ONLY_SETTINGS = new Set(["transaction_read_only", "default_transaction_read_only"]);

/** Functions that change the cluster and do not ask whether the transaction is read-only. */
const ADMINISTRATION = new Set(
  `pg_promote pg_wal_replay_pause pg_wal_replay_resume pg_switch_wal pg_create_restore_point
  pg_reload_conf pg_rotate_logfile pg_log_standby_snapshot pg_sync_replication_slots
  pg_create_logical_replication_slot pg_create_physical_replication_slot
  pg_copy_logical_replication_slot pg_copy_physical_replication_slot
  pg_drop_replication_slot pg_replication_slot_advance pg_logical_emit_message
  pg_replication_origin_create pg_replication_origin_drop pg_replication_origin_advance
  pg_import_system_collations`.split(/\s+/),
);

/** The longest run of words that decides about a statement: ROLLBACK TRANSACTION TO. */
const HEAD_LENGTH = 3;

/**
 * Says which part of a query string could end read-only mode or administers the cluster, or
 * `undefined` if none does.
 *
 * PostgreSQL refuses writes by itself in a session whose default is read-only. What is left to
 * refuse here are the statements that would switch that off:
 *
 * - SET, RESET and `set_config` of the two settings, `set_config` of a name that is not a plain
 *   constant, RESET ALL and DISCARD ALL;
 * - READ WRITE in SET, BEGIN or START TRANSACTION;
 * - DO and CALL, whose code is not seen here and could switch between two transactions of its own;
 * - statements behind the end of a transaction, since a function called before it may have changed
 *   the default for the next one;
 * - PREPARE TRANSACTION, COMMIT PREPARED and ROLLBACK PREPARED, which PostgreSQL lets pass;
 * - names with Unicode escapes, which nobody needs and which could hide any of these;
 *
 * and those that PostgreSQL lets pass although they change the cluster, its files or its
 * configuration: ALTER SYSTEM, COPY with a program, and calls of functions for administrators, above
 * all `pg_promote`, which would make a second primary of a standby.
 *
 * A function that a statement calls may try the same out of sight. Within its transaction it
 * achieves nothing: the calling statement has its snapshot by then, and PostgreSQL does not make
 * such a transaction read-write. What it does to the default ends with the request, because the
 * session is reset, and thrown away if it still reports another default. What remains is what does
 * not need this session's transaction to write: a connection that the database opens by itself
 * (`dblink`, foreign tables), a sequence or file function of an extension that does not ask whether
 * the transaction is read-only, a call of an administrator's function inside another one. Nor does
 * PostgreSQL itself ask in VACUUM, REINDEX and CLUSTER, which leave the data what it is.
 */
export function findReadOnlyEscape(sql: string | Uint8Array): string | undefined {
  const text = toSqlText(sql);
  const found = new EscapeFinder(false).find(text);
  return found === undefined && text.includes("\\") ? new EscapeFinder(true).find(text) : found;
}

/** Looks through a text once, in one of the two ways to read a backslash. */
class EscapeFinder {
  readonly #backslashEscapes: boolean;
  /** The first words of the current statement; empty for a token that is none. */
  #head: string[] = [];
  /** Whether an earlier statement ended a transaction. */
  #isBehindEnd = false;
  #previousWord = "";
  #previousName = "";
  #isBehindDot = false;
  readonly #setConfig = new SetConfigName();

  constructor(backslashEscapes: boolean) {
    this.#backslashEscapes = backslashEscapes;
  }

  find(text: string): string | undefined {
    const scanner = new SqlScanner(text, { backslashEscapes: this.#backslashEscapes });
    while (scanner.next()) {
      const { kind } = scanner;
      const value = scanner.value();
      const found =
        kind === "symbol" && value === ";" ? this.#endStatement() : this.#see(kind, value);
      if (found !== undefined) {
        return found;
      }
      this.#previousWord = kind === "word" ? (value ?? "") : "";
      this.#isBehindDot = kind === "symbol" && value === ".";
      this.#previousName = kind === "word" || kind === "identifier" ? (value ?? "") : "";
    }
    return this.#endStatement();
  }

  #see(kind: SqlTokenKind, value: string | undefined): string | undefined {
    if (this.#isBehindEnd && this.#head.length === 0) {
      return "a statement behind the end of a transaction";
    }
    if (this.#head.length < HEAD_LENGTH) {
      this.#head.push(kind === "word" ? (value ?? "") : "");
    }
    if (kind === "identifier" && value === undefined) {
      return "a name with Unicode escapes";
    }
    const isCall = kind === "symbol" && value === "(";
    if (isCall && ADMINISTRATION.has(this.#previousName)) {
      return this.#previousName;
    }
    // (true).pg_promote is a call as well.
    const isName = kind === "word" || kind === "identifier";
    if (isName && this.#isBehindDot && value !== undefined && ADMINISTRATION.has(value)) {
      return value;
    }
    const name = this.#setConfig.see(kind, value, isCall && this.#previousName === "set_config");
    return name ?? this.#inStatement(kind, value);
  }

  /** What only counts in statements that begin in a certain way. */
  #inStatement(kind: SqlTokenKind, value: string | undefined): string | undefined {
    const [lead] = this.#head;
    const isReadWrite = this.#previousWord === "read" && kind === "word" && value === "write";
    switch (lead) {
      case "set":
        return isReadWrite ? "READ WRITE" : readOnlySetting(value);
      case "reset":
        return readOnlySetting(value);
      case "begin":
      case "start":
        return isReadWrite ? "READ WRITE" : undefined;
      case "copy":
        return kind === "word" && value === "program" && COPY_WAYS.has(this.#previousWord)
          ? "COPY with a program"
          : undefined;
      default:
        return undefined;
    }
  }

  #endStatement(): string | undefined {
    const found = escapeByHead(this.#head);
    this.#isBehindEnd ||= endsTransaction(this.#head);
    this.#head = [];
    return found;
  }
}

const COPY_WAYS = new Set(["from", "to"]);

function escapeByHead([lead, second]: readonly string[]): string | undefined {
  switch (lead) {
    case "do":
    case "call":
      return lead.toUpperCase();
    case "discard":
      return second === "all" ? "DISCARD ALL" : undefined;
    case "reset":
      return second === "all" ? "RESET ALL" : undefined;
    case "alter":
      return second === "system" ? "ALTER SYSTEM" : undefined;
    case "prepare":
      return second === "transaction" ? "PREPARE TRANSACTION" : undefined;
    case "commit":
    case "rollback":
      return second === "prepared" ? `${lead.toUpperCase()} PREPARED` : undefined;
    default:
      return undefined;
  }
}

function endsTransaction([lead, second, third]: readonly string[]): boolean {
  switch (lead) {
    case "commit":
    case "end":
      return true;
    case "rollback":
    case "abort":
      // ROLLBACK [WORK | TRANSACTION] TO goes back to a savepoint and stays in the transaction.
      return second !== "to" && third !== "to";
    default:
      return false;
  }
}

/** PostgreSQL compares the names of settings without regard to case, also quoted ones. */
function readOnlySetting(value: string | undefined): string | undefined {
  const name = value?.toLowerCase();
  return name !== undefined && READ_ONLY_SETTINGS.has(name) ? name : undefined;
}

/** Follows a call of set_config through its first argument: a constant, and then a comma. */
class SetConfigName {
  #awaits: "call" | "name" | "comma" = "call";

  /** Takes the next token, and whether that opens such a call. */
  see(kind: SqlTokenKind, value: string | undefined, opensCall: boolean): string | undefined {
    switch (this.#awaits) {
      case "call":
        this.#awaits = opensCall ? "name" : "call";
        return undefined;
      case "name":
        if (kind !== "string" || value === undefined) {
          return NOT_CONSTANT;
        }
        this.#awaits = "comma";
        return readOnlySetting(value) === undefined ? undefined : `set_config of ${value}`;
      case "comma":
        this.#awaits = "call";
        return value === "," ? undefined : NOT_CONSTANT;
    }
  }
}

const NOT_CONSTANT = "set_config of a name that is not constant";

import { SqlScanner, toSqlText } from "@multipooler/pgwire";
import type { SqlTokenKind } from "@multipooler/pgwire";

const READ_ONLY_SETTINGS = new Set(["transaction_read_only", "default_transaction_read_only"]);

/** A statement that runs in the transaction after one whose end stands before it. */
export const BEHIND_END = "a statement behind the end of a transaction";

/** The longest run of words that decides about a statement: ROLLBACK TRANSACTION TO. */
const HEAD_LENGTH = 3;

/** The parts of a text that a read-only session does not stop by itself. */
export interface ReadOnlyEscapes {
  /** Changes the cluster, its files or its configuration: refused in every read-only status. */
  readonly administration: string | undefined;
  /** Could write in a session whose default is read-only. On a standby PostgreSQL stops it. */
  readonly writing: string | undefined;
}

/**
 * Says by its words which parts of a query string could end read-only mode or administer the cluster,
 * or `undefined` if none does. The functions that it calls are judged elsewhere: see
 * `escapesByName`.
 *
 * PostgreSQL refuses writes by itself in a session whose default is read-only. What is left to
 * refuse here are the statements that would switch that off:
 *
 * - SET, RESET and `set_config` of the two settings, `set_config` of a name that is not a plain
 *   constant, RESET ALL and DISCARD ALL;
 * - READ WRITE in SET, BEGIN or START TRANSACTION;
 * - DO and CALL, whose code could switch between two transactions of its own;
 * - statements behind the end of a transaction, since a function called before it may have changed
 *   the default for the next one;
 * - PREPARE TRANSACTION, COMMIT PREPARED and ROLLBACK PREPARED, which PostgreSQL lets pass, and
 *   VACUUM, ANALYZE, REINDEX and CLUSTER;
 *
 * and those that PostgreSQL lets pass although they administer the cluster: ALTER SYSTEM, LOAD, COPY
 * to a file or with a program, DO in another language than PL/pgSQL; and names with Unicode escapes,
 * which nobody needs and which could hide any of these.
 *
 * A function that a statement calls may try the same out of sight. Within its transaction it
 * achieves nothing: the calling statement has its snapshot by then, and PostgreSQL does not make
 * such a transaction read-write. What it does to the default ends with the request, because the
 * session is reset, and thrown away if it still reports another default. What remains is what a
 * function does by SQL that it puts together at run time, and what does not need this session's
 * transaction to write: a foreign table, a function in C of an extension that is not known here.
 */
export function findReadOnlyEscapes(sql: string | Uint8Array): ReadOnlyEscapes | undefined {
  const text = toSqlText(sql);
  const plain = new EscapeFinder(false).find(text);
  return text.includes("\\") ? eitherEscape(plain, new EscapeFinder(true).find(text)) : plain;
}

/** What either of two finds. */
export function eitherEscape(
  one: ReadOnlyEscapes | undefined,
  other: ReadOnlyEscapes | undefined,
): ReadOnlyEscapes | undefined {
  if (one === undefined || other === undefined) {
    return one ?? other;
  }
  return {
    administration: one.administration ?? other.administration,
    writing: one.writing ?? other.writing,
  };
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
  #administration: string | undefined;
  #writing: string | undefined;
  readonly #setConfig = new SetConfigName();

  constructor(backslashEscapes: boolean) {
    this.#backslashEscapes = backslashEscapes;
  }

  find(text: string): ReadOnlyEscapes | undefined {
    const scanner = new SqlScanner(text, { backslashEscapes: this.#backslashEscapes });
    while (scanner.next()) {
      const { kind } = scanner;
      const value = scanner.value();
      if (kind === "symbol" && value === ";") {
        this.#endStatement();
      } else {
        this.#see(kind, value);
      }
      this.#previousWord = kind === "word" ? (value ?? "") : "";
      this.#previousName = kind === "word" || kind === "identifier" ? (value ?? "") : "";
    }
    this.#endStatement();
    const administration = this.#administration;
    const writing = this.#writing;
    return administration === undefined && writing === undefined
      ? undefined
      : { administration, writing };
  }

  #see(kind: SqlTokenKind, value: string | undefined): void {
    if (this.#isBehindEnd && this.#head.length === 0) {
      this.#writing ??= BEHIND_END;
    }
    if (this.#head.length < HEAD_LENGTH) {
      this.#head.push(kind === "word" ? (value ?? "") : "");
    }
    if (kind === "identifier" && value === undefined) {
      this.#administration ??= "a name with Unicode escapes";
    }
    const isCall = kind === "symbol" && value === "(" && this.#previousName === "set_config";
    this.#writing ??= this.#setConfig.see(kind, value, isCall);
    this.#inStatement(kind, value);
  }

  /** What only counts in statements that begin in a certain way. */
  #inStatement(kind: SqlTokenKind, value: string | undefined): void {
    const [lead] = this.#head;
    const isReadWrite = this.#previousWord === "read" && kind === "word" && value === "write";
    switch (lead) {
      case "set":
        this.#writing ??= isReadWrite ? "READ WRITE" : readOnlySetting(value);
        return;
      case "reset":
        this.#writing ??= readOnlySetting(value);
        return;
      case "begin":
      case "start":
        this.#writing ??= isReadWrite ? "READ WRITE" : undefined;
        return;
      case "copy":
        this.#administration ??= copyEscape(this.#previousWord, kind, value);
        return;
      case "do":
        this.#administration ??= languageEscape(this.#previousWord, value);
        return;
      default:
    }
  }

  #endStatement(): void {
    this.#administration ??= administrationByHead(this.#head);
    this.#writing ??= writingByHead(this.#head);
    this.#isBehindEnd ||= endsTransaction(this.#head);
    this.#head = [];
  }
}

/** PostgreSQL looks at COPY with a file only where that brings rows into a table. */
function copyEscape(
  previousWord: string,
  kind: SqlTokenKind,
  value: string | undefined,
): string | undefined {
  if (kind === "string" && previousWord === "to") {
    return "COPY to a file";
  }
  const isProgram = kind === "word" && value === "program";
  return isProgram && COPY_WAYS.has(previousWord) ? "COPY with a program" : undefined;
}

function languageEscape(previousWord: string, value: string | undefined): string | undefined {
  const isOther = previousWord === "language" && value?.toLowerCase() !== "plpgsql";
  return isOther ? "DO in another language than PL/pgSQL" : undefined;
}

const COPY_WAYS = new Set(["from", "to"]);

function administrationByHead([lead, second]: readonly string[]): string | undefined {
  switch (lead) {
    case "alter":
      return second === "system" ? "ALTER SYSTEM" : undefined;
    case "load":
      return "LOAD";
    default:
      return undefined;
  }
}

function writingByHead([lead, second]: readonly string[]): string | undefined {
  switch (lead) {
    case "do":
    case "call":
    case "vacuum":
    case "analyze":
    case "analyse":
    case "reindex":
    case "cluster":
      return lead.toUpperCase();
    case "discard":
      return second === "all" ? "DISCARD ALL" : undefined;
    case "reset":
      return second === "all" ? "RESET ALL" : undefined;
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

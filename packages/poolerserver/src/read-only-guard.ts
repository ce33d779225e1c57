import { dialectsOf, splitStatements } from "./sql-tokens.ts";
import type { SqlToken } from "./sql-tokens.ts";

const READ_ONLY_SETTINGS = new Set(["transaction_read_only", "default_transaction_read_only"]);

/**
 * Says which part of a query string could end read-only mode, or `undefined` if none could.
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
 * - names with Unicode escapes, which nobody needs and which could hide any of these.
 *
 * A function that a statement calls may try the same out of sight. Within its transaction it
 * achieves nothing: the calling statement has its snapshot by then, and PostgreSQL does not make
 * such a transaction read-write. What it does to the default ends with the request, because the
 * session is reset, and thrown away if it still reports another default. What remains is what does
 * not need this session's transaction to write: a connection that the database opens by itself
 * (`dblink`, foreign tables), a program that a superuser starts with COPY, a sequence or file
 * function of an extension that does not ask whether the transaction is read-only. Nor does
 * PostgreSQL itself ask in ALTER SYSTEM, in VACUUM, REINDEX and CLUSTER, which leave the data what it
 * is, and in some functions for administrators: those of replication slots and origins,
 * `pg_logical_emit_message`, `pg_import_system_collations`.
 */
export function findReadOnlyEscape(sql: string): string | undefined {
  for (const dialect of dialectsOf(sql)) {
    const found = escapeIn(splitStatements(sql, dialect));
    if (found !== undefined) {
      return found;
    }
  }
  return undefined;
}

function escapeIn(statements: readonly SqlToken[][]): string | undefined {
  for (const [index, statement] of statements.entries()) {
    if (index > 0 && endsTransaction(statements[index - 1] ?? [])) {
      return "a statement behind the end of a transaction";
    }
    const found = escapeInStatement(statement);
    if (found !== undefined) {
      return found;
    }
  }
  return undefined;
}

function escapeInStatement(statement: readonly SqlToken[]): string | undefined {
  if (statement.some(({ kind, text }) => kind === "identifier" && text === undefined)) {
    return "a name with Unicode escapes";
  }
  return escapeByLead(statement) ?? escapeBySetConfig(statement);
}

function escapeByLead(statement: readonly SqlToken[]): string | undefined {
  const lead = wordAt(statement, 0);
  const second = wordAt(statement, 1);
  switch (lead) {
    case "do":
    case "call":
      return lead.toUpperCase();
    case "discard":
      return second === "all" ? "DISCARD ALL" : undefined;
    case "reset":
      return second === "all" ? "RESET ALL" : settingIn(statement);
    case "set":
      return readWriteIn(statement) ?? settingIn(statement);
    case "begin":
    case "start":
      return readWriteIn(statement);
    case "prepare":
      return second === "transaction" ? "PREPARE TRANSACTION" : undefined;
    case "commit":
    case "rollback":
      return second === "prepared" ? `${lead.toUpperCase()} PREPARED` : undefined;
    default:
      return undefined;
  }
}

function endsTransaction(statement: readonly SqlToken[]): boolean {
  switch (wordAt(statement, 0)) {
    case "commit":
    case "end":
      return true;
    case "rollback":
    case "abort":
      // ROLLBACK [WORK | TRANSACTION] TO goes back to a savepoint and stays in the transaction.
      return wordAt(statement, 1) !== "to" && wordAt(statement, 2) !== "to";
    default:
      return false;
  }
}

function readWriteIn(statement: readonly SqlToken[]): string | undefined {
  const found = statement.some(
    (_, index) => wordAt(statement, index) === "read" && wordAt(statement, index + 1) === "write",
  );
  return found ? "READ WRITE" : undefined;
}

/** PostgreSQL compares the names of settings without regard to case, also quoted ones. */
function settingIn(statement: readonly SqlToken[]): string | undefined {
  for (const { kind, text } of statement) {
    const name = text?.toLowerCase();
    if (kind !== "symbol" && name !== undefined && READ_ONLY_SETTINGS.has(name)) {
      return name;
    }
  }
  return undefined;
}

function escapeBySetConfig(statement: readonly SqlToken[]): string | undefined {
  for (const [index, token] of statement.entries()) {
    if (!isName(token, "set_config") || statement[index + 1]?.text !== "(") {
      continue;
    }
    const name = statement[index + 2];
    const isConstant = name?.kind === "string" && statement[index + 3]?.text === ",";
    if (!isConstant || name.text === undefined) {
      return "set_config of a name that is not constant";
    }
    if (READ_ONLY_SETTINGS.has(name.text.toLowerCase())) {
      return `set_config of ${name.text}`;
    }
  }
  return undefined;
}

function wordAt(statement: readonly SqlToken[], index: number): string | undefined {
  const token = statement[index];
  return token?.kind === "word" ? token.text : undefined;
}

function isName(token: SqlToken, name: string): boolean {
  return (token.kind === "word" || token.kind === "identifier") && token.text === name;
}

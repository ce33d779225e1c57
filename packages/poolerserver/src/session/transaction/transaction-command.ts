import { encodeStatement } from "@multipooler/pgwire";
import { TextCache } from "../../text-cache.ts";
import { isAscii, statementsOf, wordOf } from "../statements/sql-tokens.ts";
import type { SqlToken } from "../statements/sql-tokens.ts";

/** A statement that begins or ends a transaction and that PostgreSQL has no reason to refuse. */
export type TransactionCommand =
  | { readonly type: "commit" | "rollback" }
  /** `statement`: as it goes to a backend ahead of another one. */
  | { readonly type: "begin" | "start"; readonly statement: Buffer };

/** Longer texts are left to PostgreSQL. */
const MAX_TEXT_LENGTH = 256;
const CACHE = { maxEntries: 128, maxBytes: 32_768, maxTextBytes: MAX_TEXT_LENGTH };

/**
 * READ WRITE fails on a standby, SERIALIZABLE may, and DEFERRABLE has the first statement wait: what
 * these do is to be seen where they stand.
 */
const MODE = "(?: isolation level (?:read (?:un)?committed|repeatable read)| read only)";
const MODES = `(?:${MODE}(?:(?: ,)?${MODE})*)?`;
const COMMANDS: readonly (readonly [TransactionCommand["type"], RegExp])[] = [
  ["begin", new RegExp(`^begin(?: work| transaction)?${MODES}$`)],
  ["start", new RegExp(`^start transaction${MODES}$`)],
  ["commit", /^(?:commit|end)(?: work| transaction)?(?: and no chain)?$/],
  ["rollback", /^(?:rollback|abort)(?: work| transaction)?(?: and no chain)?$/],
];

/** Reads texts that begin or end a transaction, most of which are the same few. */
export class TransactionCommands {
  readonly #cache = new TextCache<TransactionCommand | "other">(CACHE);

  /** What a text is, if it is nothing else. */
  read(text: string): TransactionCommand | undefined {
    let command = this.#cache.get(text);
    if (command === undefined) {
      command = commandOf(text) ?? "other";
      this.#cache.set(text, command);
    }
    return command === "other" ? undefined : command;
  }
}

function commandOf(text: string): TransactionCommand | undefined {
  if (text.length > MAX_TEXT_LENGTH || !isAscii(text)) {
    return undefined;
  }
  const [tokens, ...others] = statementsOf(text) ?? [];
  if (tokens === undefined || others.length > 0) {
    return undefined;
  }
  const words = tokens.map(wordOrComma).join(" ");
  const type = COMMANDS.find(([, pattern]) => pattern.test(words))?.[0];
  switch (type) {
    case undefined:
      return undefined;
    case "commit":
    case "rollback":
      return { type };
    case "begin":
    case "start":
      return { type, statement: encodeStatement(text) };
  }
}

function wordOrComma(token: SqlToken): string {
  return token.kind === "symbol" && token.value === "," ? "," : wordOf(token);
}

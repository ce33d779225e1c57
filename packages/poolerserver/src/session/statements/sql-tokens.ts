import { SqlScanner } from "@multipooler/pgwire";
import type { SqlTokenKind } from "@multipooler/pgwire";

/** A longer text is not read for commands. */
const MAX_TEXT_LENGTH = 65_536;

export interface SqlToken {
  readonly kind: SqlTokenKind;
  readonly value: string | undefined;
  readonly start: number;
  readonly end: number;
}

/**
 * The statements of a text, each as its tokens. `undefined` where the text is too long, or means
 * something else when a backslash is read in the other way.
 *
 * @param text as `toSqlText` makes it
 */
export function statementsOf(text: string): SqlToken[][] | undefined {
  if (text.length > MAX_TEXT_LENGTH) {
    return undefined;
  }
  const tokens = scan(text, false);
  if (text.includes("\\") && !isSame(tokens, scan(text, true))) {
    return undefined;
  }
  const statements: SqlToken[][] = [];
  let current: SqlToken[] = [];
  for (const token of tokens) {
    if (token.kind !== "symbol" || token.value !== ";") {
      current.push(token);
    } else if (current.length > 0) {
      statements.push(current);
      current = [];
    }
  }
  return current.length > 0 ? [...statements, current] : statements;
}

/** A name or key word, as PostgreSQL understands it. */
export function nameOf(token: SqlToken | undefined): string | undefined {
  return token?.kind === "word" || token?.kind === "identifier" ? token.value : undefined;
}

/** A key word in lower case. */
export function wordOf(token: SqlToken | undefined): string {
  return token?.kind === "word" ? (token.value ?? "") : "";
}

function scan(text: string, backslashEscapes: boolean): SqlToken[] {
  const scanner = new SqlScanner(text, { backslashEscapes });
  const tokens: SqlToken[] = [];
  while (scanner.next()) {
    const { kind, start, end } = scanner;
    tokens.push({ kind, value: scanner.value(), start, end });
  }
  return tokens;
}

function isSame(one: readonly SqlToken[], other: readonly SqlToken[]): boolean {
  return (
    one.length === other.length && one.every((token, index) => token.end === other[index]?.end)
  );
}

/** Every name in a text, once. */
export function namesIn(text: string): ReadonlySet<string | undefined> {
  return new Set((statementsOf(text) ?? []).flat().map(nameOf));
}

/** Whether a text is the same in every encoding of a client. It may have one character a byte. */
export function isAscii(text: string): boolean {
  return Buffer.byteLength(text) === text.length;
}

/** A name that has one character a byte. */
export function decodeName(name: string): string {
  return Buffer.from(name, "latin1").toString();
}

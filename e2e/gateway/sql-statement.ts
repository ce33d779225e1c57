import { SqlScanner, toSqlText } from "@multipooler/pgwire";

/** A token, with the value of a name or a constant. */
export interface Token {
  readonly text: string;
  /** Key words and names in lower case, names in quotes and strings without them. */
  readonly value: string;
  /** In the bytes of the statement, one character each. */
  readonly start: number;
  readonly end: number;
}

/** One statement of a query string. */
export interface SqlStatement {
  /** As the client wrote it, without the semicolon. */
  readonly text: string;
  /** The same with it, where there is one. */
  readonly source: string;
  /** Its bytes, one character each, with the blanks around it. */
  readonly bytes: string;
  readonly tokens: readonly Token[];
}

/** Splits a query string at its semicolons. Empty statements are left out. */
export function splitStatements(sql: string): readonly SqlStatement[] {
  // One character a byte: the scanner's positions are those of bytes.
  const bytes = Buffer.from(sql).toString("latin1");
  const scanner = new SqlScanner(toSqlText(sql), { backslashEscapes: false });
  const statements: SqlStatement[] = [];
  let tokens: Token[] = [];
  let start = 0;
  const finish = (end: number, after: number): void => {
    if (tokens.length > 0) {
      const own = bytes.slice(start, end);
      const source = utf8(bytes.slice(start, after)).trim();
      statements.push({ text: utf8(own).trim(), source, bytes: own, tokens });
    }
    tokens = [];
    start = after;
  };
  while (scanner.next()) {
    const text = bytes.slice(scanner.start, scanner.end);
    if (text === ";") {
      finish(scanner.start, scanner.end);
    } else {
      const value = utf8(scanner.value() ?? text);
      const place = { start: scanner.start - start, end: scanner.end - start };
      tokens.push({ text: utf8(text), value, ...place });
    }
  }
  finish(bytes.length, bytes.length);
  return statements;
}

/** What a statement says before a token, and behind it. */
export function textAround(
  { bytes }: SqlStatement,
  token: Token,
): { readonly before: string; readonly behind: string } {
  const before = utf8(bytes.slice(0, token.start)).trimStart();
  return { before, behind: utf8(bytes.slice(token.end)).trimEnd() };
}

function utf8(bytes: string): string {
  return Buffer.from(bytes, "latin1").toString();
}

import { SqlScanner, toSqlText } from "@multipooler/pgwire";

/** A token, with the value of a name or a constant. */
export interface Token {
  readonly text: string;
  /** Key words and names in lower case, names in quotes and strings without them. */
  readonly value: string;
  readonly start: number;
}

/** One statement of a query string. */
export interface SqlStatement {
  /** As the client wrote it, without the semicolon. */
  readonly text: string;
  /** The same with it, where there is one. */
  readonly source: string;
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
      const text = utf8(bytes.slice(start, end)).trim();
      statements.push({ text, source: utf8(bytes.slice(start, after)).trim(), tokens });
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
      tokens.push({ text: utf8(text), value, start: scanner.start - start });
    }
  }
  finish(bytes.length, bytes.length);
  return statements;
}

function utf8(bytes: string): string {
  return Buffer.from(bytes, "latin1").toString();
}

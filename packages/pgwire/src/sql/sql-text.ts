/**
 * SQL with one character a byte of its UTF-8 form, as {@link SqlScanner} reads it. PostgreSQL's lexer
 * works on bytes, and every byte of a character beyond ASCII is a letter to it. A string of this kind
 * is also a good key: the same statement gives the same one, however it arrived.
 */
export interface SqlText {
  readonly length: number;
  charCodeAt(index: number): number;
  indexOf(search: string, from: number): number;
  startsWith(search: string, from: number): boolean;
  slice(start: number, end: number): string;
}

/** The bytes of a statement, or its text, one character a byte. */
export function toSqlText(sql: string | Uint8Array): string {
  if (typeof sql !== "string") {
    return Buffer.from(sql.buffer, sql.byteOffset, sql.byteLength).toString("latin1");
  }
  // For ASCII both forms are the same string.
  return Buffer.byteLength(sql) === sql.length ? sql : Buffer.from(sql).toString("latin1");
}

import { ManagerError, ManagerErrorCode } from "../manager-error.ts";

/** A row as `pg` yields it: by column name, each value of a type that its column decides. */
export type Row = Readonly<Record<string, unknown>>;

/** The only row of a result that has exactly one. */
export function onlyRow(rows: readonly Row[]): Row {
  const [row] = rows;
  if (row === undefined || rows.length > 1) {
    throw unexpected("rows", `${rows.length} rows`);
  }
  return row;
}

/** A column of type boolean that is not null. */
export function booleanOf(row: Row, column: string): boolean {
  const value = row[column];
  if (typeof value !== "boolean") {
    throw unexpected(column, typeof value);
  }
  return value;
}

/** A column of type int4 that is not null. */
export function integerOf(row: Row, column: string): number {
  const value = row[column];
  if (typeof value !== "number") {
    throw unexpected(column, typeof value);
  }
  return value;
}

/** A column of type text that is not null. */
export function textOf(row: Row, column: string): string {
  const value = row[column];
  if (typeof value !== "string") {
    throw unexpected(column, typeof value);
  }
  return value;
}

/** A column of type text; `undefined` for its NULL. */
export function optionalTextOf(row: Row, column: string): string | undefined {
  return row[column] === null ? undefined : textOf(row, column);
}

/** A column of type float8; `undefined` for its NULL. */
export function optionalNumberOf(row: Row, column: string): number | undefined {
  const value = row[column];
  if (value !== null && typeof value !== "number") {
    throw unexpected(column, typeof value);
  }
  return value ?? undefined;
}

/** A column of type timestamptz; `undefined` for its NULL. */
export function optionalTimeOf(row: Row, column: string): Date | undefined {
  const value = row[column];
  if (value !== null && !(value instanceof Date)) {
    throw unexpected(column, typeof value);
  }
  return value ?? undefined;
}

/** A column of type int8 that is not null; `pg` yields those as text. */
export function bigintOf(row: Row, column: string): bigint {
  const text = textOf(row, column);
  if (!/^-?[0-9]+$/.test(text)) {
    throw unexpected(column, "text");
  }
  return BigInt(text);
}

function unexpected(what: string, got: string): ManagerError {
  return new ManagerError(
    ManagerErrorCode.Internal,
    `PostgreSQL answered a statement of the manager with unexpected ${what}: ${got}`,
  );
}

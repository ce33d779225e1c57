import { toSqlText } from "@multipooler/pgwire";
import type { CatalogObject, ObjectKind, Usage } from "./effect-graph.ts";

/** A row of the catalog, by column. */
export type Row = Readonly<Record<string, unknown>>;

/**
 * Runs one statement as an administrator whose search_path is pg_catalog. Rejects with the signal's
 * reason where that aborts.
 */
export type AdminQuery = (
  sql: string,
  values: readonly string[],
  options: { readonly signal?: AbortSignal | undefined },
) => Promise<readonly Row[]>;

/** A column of text; empty for NULL. */
export function textOf(row: Row, column: string): string {
  const value = row[column];
  return typeof value === "string" ? value : "";
}

/** The object that a row tells with the columns `kind` and `owner`. */
export function objectOf(row: Row): CatalogObject {
  const kind = textOf(row, "kind");
  return {
    kind: OBJECT_KINDS.find((known) => known === kind) ?? "anything",
    oid: textOf(row, "owner"),
  };
}

/** The column `name` of a row, in the form of `toSqlText`. */
export function nameOf(row: Row): string {
  return toSqlText(textOf(row, "name"));
}

/** The column `usage` of a row. */
export function usageOf(row: Row): Usage {
  const usage = textOf(row, "usage");
  return USAGES.find((known) => known === usage) ?? "worst";
}

const OBJECT_KINDS: readonly ObjectKind[] = [
  "relation",
  "function",
  "operator",
  "type",
  "anything",
  "ddl",
];
const USAGES: readonly Usage[] = ["same", "use", "worst", "write", "insert", "cascade"];

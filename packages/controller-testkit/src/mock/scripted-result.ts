import { encodeCommandTag, encodeFields, encodeRow } from "@multipooler/query-service";
import type { ResultEvent } from "@multipooler/query-service";

const TEXT_OID = 25;

/**
 * The events of one statement that returns rows of texts; `null` for NULL.
 *
 * @param tag the command tag. Default: `SELECT` and the number of rows.
 */
export function textResult(
  columns: readonly string[],
  rows: readonly (readonly (string | null)[])[],
  tag: string = `SELECT ${rows.length}`,
): ResultEvent[] {
  const fields = columns.map((name) => ({
    name,
    tableOid: 0,
    tableAttributeNumber: 0,
    dataTypeOid: TEXT_OID,
    dataTypeSize: -1,
    typeModifier: -1,
    format: 0,
  }));
  return [
    { type: "fields", bytes: encodeFields(fields) },
    ...rows.map((row): ResultEvent => ({
      type: "rows",
      bytes: encodeRow(row.map((value) => (value === null ? null : Buffer.from(value)))),
      rowCount: 1,
      inProgress: false,
    })),
    ...commandResult(tag),
  ];
}

/** The event of one statement that returns no rows, such as `INSERT 0 1`. */
export function commandResult(tag: string): ResultEvent[] {
  return [{ type: "complete", bytes: encodeCommandTag(tag) }];
}

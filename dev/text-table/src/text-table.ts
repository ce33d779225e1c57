/** Which columns are numbers, by index: they end in line, the others begin in line. */
export interface TableOptions {
  readonly flushRight?: readonly number[];
}

/**
 * Rows as lines, each ended by `\n`, with columns as wide as their widest cell and two spaces between
 * them. A row may be shorter than others. Every character counts as one column of the terminal.
 */
export function textTable(
  rows: readonly (readonly string[])[],
  { flushRight = [] }: TableOptions = {},
): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  }
  const filled = (cell: string, column: number): string => {
    const width = widths[column] ?? 0;
    return flushRight.includes(column) ? cell.padStart(width) : cell.padEnd(width);
  };
  return rows.map((row) => `${row.map(filled).join("  ").trimEnd()}\n`).join("");
}

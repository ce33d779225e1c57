import stringWidth from "string-width";
import { printable } from "./printable.ts";

/** Where a cell stands in a column that is wider. */
export type Alignment = "left" | "right" | "center";

/** The width of each column: that of its widest cell, as a terminal shows it. */
export function columnWidths(rows: readonly (readonly string[])[]): number[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, stringWidth(cell));
    });
  }
  return widths;
}

/** Fills a cell up with blanks to `width`; a wider one stays whole. */
export function filled(cell: string, width = 0, alignment: Alignment = "left"): string {
  const gap = Math.max(0, width - stringWidth(cell));
  switch (alignment) {
    case "left":
      return cell + " ".repeat(gap);
    case "right":
      return " ".repeat(gap) + cell;
    case "center": {
      const left = Math.floor(gap / 2);
      return " ".repeat(left) + cell + " ".repeat(gap - left);
    }
  }
}

export interface TableOptions {
  /** Width of each column. Default: that of its widest cell. */
  readonly widths?: readonly number[] | undefined;
  /** Columns whose cells end in line, by index; the others begin in line. */
  readonly flushRight?: readonly number[] | undefined;
}

/**
 * One line a row, two spaces between columns; control characters in the cells are shown, not sent. A
 * row may be shorter than others.
 */
export function tableLines(
  rows: readonly (readonly string[])[],
  options: TableOptions = {},
): string[] {
  const shown = rows.map((row) => row.map(printable));
  const { widths = columnWidths(shown), flushRight = [] } = options;
  return shown.map((row) =>
    row
      .map((cell, column) =>
        filled(cell, widths[column], flushRight.includes(column) ? "right" : "left"),
      )
      .join("  ")
      .trimEnd(),
  );
}

/** {@link tableLines} as text, each line ended by `\n`. */
export function tableText(
  rows: readonly (readonly string[])[],
  options: TableOptions = {},
): string {
  return tableLines(rows, options)
    .map((line) => `${line}\n`)
    .join("");
}

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

/** One line a row, two spaces between columns; control characters in the cells are shown, not sent. */
export function tableLines(
  rows: readonly (readonly string[])[],
  fixedWidths?: readonly number[],
): string[] {
  const shown = rows.map((row) => row.map(printable));
  const widths = fixedWidths ?? columnWidths(shown);
  return shown.map((row) =>
    row
      .map((cell, column) => filled(cell, widths[column]))
      .join("  ")
      .trimEnd(),
  );
}

/** {@link tableLines} as text, each line ended. */
export function tableText(rows: readonly (readonly string[])[]): string {
  return tableLines(rows)
    .map((line) => `${line}\n`)
    .join("");
}

import { columnWidths, filled, printable, printableJson } from "@multipooler/text-table";

export interface Column {
  readonly name: string;
  /** Numbers are aligned right. */
  readonly numeric: boolean;
}

/** Text of a value, or null for SQL NULL. */
export type Cell = string | null;

/** Formats one result, a few rows at a time. */
export interface ResultPrinter {
  begin(columns: readonly Column[]): string;
  rows(rows: readonly (readonly Cell[])[]): string;
  end(rowCount: number): string;
}

export const RESULT_FORMATS = ["table", "csv", "json"] as const;
export type ResultFormat = (typeof RESULT_FORMATS)[number];

/** Creates the printer for one result. On a terminal nothing that it prints controls it. */
export function resultPrinter(
  format: ResultFormat,
  { isTerminal }: { readonly isTerminal: boolean },
): ResultPrinter {
  switch (format) {
    case "table":
      return new TablePrinter();
    case "csv":
      return new CsvPrinter(isTerminal ? printable : (value) => value);
    case "json":
      return new JsonPrinter();
  }
}

/**
 * A table as psql prints it. Column widths come from the first rows, so that no rows are held; a
 * later, wider value makes its own line longer.
 */
class TablePrinter implements ResultPrinter {
  #columns: readonly Column[] = [];
  #widths: number[] | undefined;

  begin(columns: readonly Column[]): string {
    this.#columns = columns;
    return "";
  }

  rows(rows: readonly (readonly Cell[])[]): string {
    const shown = rows.map((row) => row.map((cell) => (cell === null ? "" : printable(cell))));
    const header = this.#widths === undefined ? this.#header(shown) : "";
    return header + shown.map((row) => `${this.#line(row)}\n`).join("");
  }

  end(rowCount: number): string {
    const header = this.#widths === undefined ? this.#header([]) : "";
    return `${header}(${rowCount} ${rowCount === 1 ? "row" : "rows"})\n`;
  }

  #header(rows: readonly (readonly string[])[]): string {
    const names = this.#columns.map(({ name }) => printable(name));
    const widths = columnWidths([names, ...rows]);
    this.#widths = widths;
    const titles = names.map((name, index) => ` ${filled(name, widths[index], "center")} `);
    const rule = widths.map((width) => "-".repeat(width + 2)).join("+");
    return `${titles.join("|").trimEnd()}\n${rule}\n`;
  }

  #line(row: readonly string[]): string {
    const cells = row.map((cell, index) => {
      const alignment = this.#columns[index]?.numeric === true ? "right" : "left";
      return ` ${filled(cell, this.#widths?.[index], alignment)} `;
    });
    return cells.join("|").trimEnd();
  }
}

/** RFC 4180, with `\n` as line end; NULL is empty, the empty text is `""`. */
class CsvPrinter implements ResultPrinter {
  readonly #shown: (value: string) => string;

  constructor(shown: (value: string) => string) {
    this.#shown = shown;
  }

  begin(columns: readonly Column[]): string {
    return this.#line(columns.map(({ name }) => name));
  }

  rows(rows: readonly (readonly Cell[])[]): string {
    return rows.map((row) => this.#line(row)).join("");
  }

  #line(cells: readonly Cell[]): string {
    const shown = cells.map((cell) => csvCell(cell === null ? null : this.#shown(cell)));
    return `${shown.join(",")}\n`;
  }

  end(): string {
    return "";
  }
}

/** One JSON object a row. Values are the text that PostgreSQL sent, or null. */
class JsonPrinter implements ResultPrinter {
  #columns: readonly Column[] = [];

  begin(columns: readonly Column[]): string {
    this.#columns = columns;
    return "";
  }

  rows(rows: readonly (readonly Cell[])[]): string {
    const names = this.#columns.map(({ name }) => JSON.stringify(name));
    const lines = rows.map(
      (row) =>
        `{${names.map((name, i) => `${name}:${JSON.stringify(row[i] ?? null)}`).join(",")}}\n`,
    );
    return printableJson(lines.join(""));
  }

  end(): string {
    return "";
  }
}

function csvCell(cell: Cell): string {
  if (cell === null) {
    return "";
  }
  return cell === "" || /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}

/** As PostgreSQL calls it. */
export type ColumnType = "text" | "int4" | "int8" | "numeric";

/** Types by the name of their column, in order. */
export type Columns = Readonly<Record<string, ColumnType>>;

/** A value of a column; a number is whole. */
export type Value = string | number | null;

/** The values of a row by the name of their column. */
export type RowOf<C extends Columns> = { readonly [Name in keyof C]: Value };

/** What a SHOW command answers. */
export interface ResultTable {
  readonly columns: Columns;
  readonly rows: readonly (readonly Value[])[];
}

/** A table that can be described before it is made. */
export interface TableSource<View> {
  readonly columns: Columns;
  rows(view: View): readonly (readonly Value[])[];
}

/** A table whose rows have a value for each of its columns. */
export function tableOf<View, C extends Columns>(
  columns: C,
  rows: (view: View) => readonly RowOf<C>[],
): TableSource<View> {
  const names = Object.keys(columns);
  return {
    columns,
    rows: (view) =>
      rows(view).map((row) => {
        const values = new Map<string, Value>(Object.entries(row));
        return names.map((name) => values.get(name) ?? null);
      }),
  };
}

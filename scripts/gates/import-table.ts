import type { BoundaryTable } from "../lint/boundary-table.ts";

/**
 * What is wrong with the table of packages in a Markdown text, whose rows begin with a package in
 * code and end with what it imports: rows that differ from `table`, and packages of `folders`
 * without a row.
 */
export function importTableFaults(
  markdown: string,
  folders: readonly string[],
  table: BoundaryTable,
): string[] {
  const rows = markdown.split("\n").flatMap((text, index) => {
    const [, name = "", imports] = /^\| `([\w/-]+)` *\|.*\| ([^|]*?) *\|$/.exec(text) ?? [];
    const folder = name.includes("/") ? name : `packages/${name}`;
    return imports === undefined ? [] : [{ folder, imports, line: index + 1 }];
  });
  return [
    ...rows
      .filter(({ folder, imports }) => imports !== importsOf(folder, table))
      .map(({ folder, line }) => `${line}: ${folder} imports ${importsOf(folder, table)}`),
    ...folders
      .filter((folder) => !rows.some((row) => row.folder === folder))
      .map((folder) => `1: the table of packages has no row for ${folder}`),
  ];
}

function importsOf(folder: string, { imports }: BoundaryTable): string {
  const allowed = imports[folder] ?? [];
  if (allowed === "everything") {
    return allowed;
  }
  const names = allowed.map((each) => each.replace("packages/", ""));
  return names.toSorted().join(", ") || "nothing";
}

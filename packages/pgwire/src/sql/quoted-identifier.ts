/** `name` as an identifier in a statement: quoted, so that it is taken as it is. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

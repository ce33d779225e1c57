/** A pooler by its cell and its name there. */
export interface PoolerName {
  readonly cell: string;
  readonly name: string;
}

/** Parses `<cell>/<name>`; `undefined` for a text that is none. */
export function parsePoolerName(text: string): PoolerName | undefined {
  const [cell, name, ...rest] = text.split("/");
  return cell && name && rest.length === 0 ? { cell, name } : undefined;
}

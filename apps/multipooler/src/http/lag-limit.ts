/** How far behind a replica may be: in WAL that it has not replayed, or in time. */
export type LagLimit =
  | { readonly unit: "bytes"; readonly max: number }
  | { readonly unit: "ms"; readonly max: number };

/** As PostgreSQL's settings have them: multiples of 1024. */
const BYTES: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["b", 1],
  ["kb", 1024],
  ["mb", 1024 ** 2],
  ["gb", 1024 ** 3],
  ["tb", 1024 ** 4],
]);
const MILLISECONDS: ReadonlyMap<string, number> = new Map([
  ["ms", 1],
  ["s", 1000],
  ["m", 60_000],
  ["min", 60_000],
  ["h", 3_600_000],
]);

/**
 * Reads the value of `lag`: 1048576, 16kB, 1.5 MB or 1GB, as Patroni takes them, or a time such as
 * 500ms, 10s or 2min. The case of a unit does not matter. `undefined` for anything else.
 */
export function parseLagLimit(text: string): LagLimit | undefined {
  const [, amount, unit] = /^\s*(\d{1,15}(?:\.\d{1,9})?)\s*([a-z]{0,3})\s*$/i.exec(text) ?? [];
  if (amount === undefined || unit === undefined) {
    return undefined;
  }
  const bytes = BYTES.get(unit.toLowerCase());
  if (bytes !== undefined) {
    return { unit: "bytes", max: Number(amount) * bytes };
  }
  const ms = MILLISECONDS.get(unit.toLowerCase());
  return ms === undefined ? undefined : { unit: "ms", max: Number(amount) * ms };
}

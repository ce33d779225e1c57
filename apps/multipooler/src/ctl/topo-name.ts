import { ConfigError } from "../settings/config.ts";
import type { TopoKind } from "./topo-record.ts";

/** A record's name on the command line. */
export interface RecordName {
  readonly kind: TopoKind;
  /** The folder of the record in its key, or `<cell>/<name>` of a pooler. */
  readonly name: string;
  /** Set if the whole key was given. */
  readonly key: string | undefined;
}

const KINDS: Readonly<Record<string, TopoKind>> = {
  cell: "cell",
  cells: "cell",
  database: "database",
  databases: "database",
  pooler: "pooler",
  poolers: "pooler",
};

const FILES: Readonly<Record<TopoKind, string>> = {
  cell: "Cell",
  database: "Database",
  pooler: "Pooler",
};

/** Parses a kind, in the singular or the plural. */
export function kindNamed(word: string): TopoKind | undefined {
  return Object.hasOwn(KINDS, word) ? KINDS[word] : undefined;
}

/**
 * Parses a key such as `/multigres/global/cells/zone1/Cell`, or kind and name such as
 * `pooler/multipooler-zone1-a` or `pooler/zone1/a`.
 *
 * @throws ConfigError if it is neither.
 */
export function parseRecordName(text: string): RecordName {
  if (text.split("/").every((part, index) => isSegment(part) || (part === "" && index === 0))) {
    const found = parseKindAndName(text) ?? parseKey(text);
    if (found !== undefined) {
      return found;
    }
  }
  throw new ConfigError([
    `${JSON.stringify(text)} names no record: give a key, e.g. /multigres/global/cells/zone1/Cell, or kind and name, e.g. cell/zone1, database/postgres, pooler/zone1/a`,
  ]);
}

/** True for a valid part of a key; the store rejects all others. */
function isSegment(part: string): boolean {
  return /^[^\p{Cc}]+$/u.test(part) && part !== "." && part !== "..";
}

function parseKindAndName(text: string): RecordName | undefined {
  const [word = "", ...rest] = text.split("/");
  const kind = kindNamed(word);
  if (kind === undefined) {
    return undefined;
  }
  if (rest.length !== 1 && !(kind === "pooler" && rest.length === 2)) {
    return undefined;
  }
  return { kind, name: rest.join("/"), key: undefined };
}

function parseKey(key: string): RecordName | undefined {
  const [file, name = "", folder = "", ...root] = key.split("/").toReversed();
  const kind = folder.endsWith("s") ? kindNamed(folder) : undefined;
  if (kind === undefined || file !== FILES[kind] || root.length === 0) {
    return undefined;
  }
  return { kind, name, key };
}

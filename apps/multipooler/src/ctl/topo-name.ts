import { ConfigError } from "../settings/config.ts";
import type { TopoKind } from "./topo-record.ts";

/** A record's name on the command line. */
export interface RecordName {
  readonly kind: TopoKind;
  /** The last folder of the record's key, or `<cell>/<name>` of a pooler. */
  readonly name: string;
  /** Set if the whole key was given. */
  readonly key: string | undefined;
}

const KINDS: Readonly<Record<string, TopoKind>> = {
  cell: "cell",
  cells: "cell",
  database: "database",
  databases: "database",
  shard: "shard",
  shards: "shard",
  pooler: "pooler",
  poolers: "pooler",
};

/** The kinds by the folders of their keys. */
const FOLDERS: Readonly<Record<string, TopoKind>> = {
  cells: "cell",
  databases: "database",
  primaries: "shard",
  poolers: "pooler",
};

const FILES: Readonly<Record<TopoKind, string>> = {
  cell: "Cell",
  database: "Database",
  shard: "Primary",
  pooler: "Pooler",
};

/** Of how many parts a name may be. */
const NAME_LENGTHS: Readonly<Record<TopoKind, readonly number[]>> = {
  cell: [1],
  database: [1],
  shard: [3],
  pooler: [1, 2],
};

/** Parses a kind, in the singular or the plural. */
export function kindNamed(word: string): TopoKind | undefined {
  return Object.hasOwn(KINDS, word) ? KINDS[word] : undefined;
}

/**
 * Parses a key such as `/multigres/global/cells/zone1/Cell`, or kind and name such as
 * `pooler/multipooler-zone1-a`, `pooler/zone1/a` or `shard/postgres/default/0-inf`.
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
    `${JSON.stringify(text)} names no record: give a key, e.g. /multigres/global/cells/zone1/Cell, or kind and name, e.g. cell/zone1, database/postgres, shard/postgres/default/0-inf, pooler/zone1/a`,
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
  if (!NAME_LENGTHS[kind].includes(rest.length)) {
    return undefined;
  }
  const name = kind === "shard" ? rest.map(encodeURIComponent).join(",") : rest.join("/");
  return { kind, name, key: undefined };
}

function parseKey(key: string): RecordName | undefined {
  const [file, name = "", folder = "", ...root] = key.split("/").toReversed();
  const kind = Object.hasOwn(FOLDERS, folder) ? FOLDERS[folder] : undefined;
  if (kind === undefined || file !== FILES[kind] || root.length === 0) {
    return undefined;
  }
  return { kind, name, key };
}

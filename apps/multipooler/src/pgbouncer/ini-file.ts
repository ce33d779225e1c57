import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileFault } from "../file-fault.ts";

/** One setting of a PgBouncer file. */
export interface IniEntry {
  /** In lower case, as PgBouncer compares it. */
  readonly section: string;
  readonly key: string;
  readonly value: string;
  /** "pgbouncer.ini:12". */
  readonly place: string;
}

/** As deep as PgBouncer follows %include. */
const MAX_INCLUDES = 10;

/** The file cannot be read as PgBouncer reads it. */
export class IniError extends Error {
  override readonly name = "IniError";
}

/**
 * Reads a file in PgBouncer's format, and those that it includes. A key that is given twice is there
 * twice, the one that counts last.
 *
 * @throws IniError naming file, line and fault
 */
export function readIni(path: string): readonly IniEntry[] {
  return [...entriesOf(path, { name: "" }, 0)];
}

/** An included file begins in the section of the line that includes it, and may leave another. */
interface Section {
  name: string;
}

function* entriesOf(path: string, section: Section, depth: number): Generator<IniEntry> {
  if (depth > MAX_INCLUDES) {
    throw new IniError(`${path}: more than ${MAX_INCLUDES} files include each other`);
  }
  for (const [index, raw] of textOf(path).split("\n").entries()) {
    const line = raw.trim();
    const place = `${path}:${index + 1}`;
    if (line === "" || line.startsWith(";") || line.startsWith("#")) {
      continue;
    }
    const included = /^%include\s+(.+)$/.exec(line)?.[1];
    if (included !== undefined) {
      yield* entriesOf(resolve(dirname(path), included), section, depth + 1);
      continue;
    }
    const name = /^\[([^\]]+)\]$/.exec(line)?.[1];
    if (name !== undefined) {
      section.name = name.toLowerCase();
      continue;
    }
    yield { section: section.name, ...keyAndValue(line, place), place };
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new IniError(`${path} ${fileFault(cause)}`, { cause });
  }
}

/** A key in double quotes may hold anything; in it, two stand for one. */
function keyAndValue(line: string, place: string): Pick<IniEntry, "key" | "value"> {
  const found = /^("(?:[^"]|"")+"|[^\s="]+)\s*=\s*(.*)$/.exec(line);
  const [, key, value] = found ?? [];
  if (key === undefined || value === undefined) {
    throw new IniError(`${place}: is neither "key = value" nor [section]`);
  }
  const bare = key.startsWith('"') ? key.slice(1, -1).replaceAll('""', '"') : key;
  return { key: bare, value };
}

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as yaml from "yaml";
import { fileFault } from "../file-fault.ts";
import { shownName, suggestion } from "./nearest-name.ts";

/** Where the configuration file is, and what its absence means. */
export interface ConfigFilePlace {
  readonly path?: string | undefined;
  /** Where there is no path: the name without ending, to be looked for in `directories`. */
  readonly name?: string | undefined;
  /** Separated by commas. Default: the working directory. */
  readonly directories?: string | undefined;
  /** "yaml" or "json"; both are read alike. */
  readonly type?: string | undefined;
  /** What a missing file means: "error", the default, also called "exit"; "warn" or "ignore". */
  readonly whenMissing?: string | undefined;
}

/** A configuration file as it was read. */
export interface FileSettings {
  /** `undefined` when there is no file. */
  readonly path: string | undefined;
  /** By flag name. */
  readonly values: Readonly<Record<string, string>>;
  /** In which line each of them is. */
  readonly lines: ReadonlyMap<string, number>;
  /** Why it cannot be used, a line each. */
  readonly problems: readonly string[];
  /** Something to tell the operator. */
  readonly warning: string | undefined;
}

const ENDINGS = ["yaml", "yml", "json"] as const;
const MISSING_WORDS = ["error", "exit", "warn", "ignore"] as const;
const NO_FILE: FileSettings = {
  path: undefined,
  values: {},
  lines: new Map(),
  problems: [],
  warning: undefined,
};

/** What a file may hold. */
export interface FileKeys {
  readonly known: ReadonlySet<string>;
  /** Those of them that may be lists. */
  readonly lists: ReadonlySet<string>;
}

/** Reads the configuration file, if there is to be one. Keys that are not known are problems. */
export function readConfigFile(place: ConfigFilePlace, keys: FileKeys): FileSettings {
  const problems = wrongWords(place);
  if (problems.length > 0) {
    return { ...NO_FILE, problems };
  }
  const path = place.path ?? find(place);
  if (path === undefined) {
    return place.name === undefined
      ? NO_FILE
      : missing(`there is no ${place.name}.yaml in ${place.directories ?? "."}`, place);
  }
  let content: FileContent;
  try {
    content = parse(readFileSync(path, "utf8"));
  } catch (error) {
    const problem = unreadable(path, error);
    return isAbsence(error) ? missing(problem, place) : failed(problem);
  }
  return { ...NO_FILE, path, lines: content.lines, ...valuesIn(content, path, keys) };
}

interface FileContent {
  readonly value: unknown;
  /** By key of the outermost map. */
  readonly lines: ReadonlyMap<string, number>;
}

/** @throws YAMLParseError */
function parse(text: string): FileContent {
  const lineCounter = new yaml.LineCounter();
  const document = yaml.parseDocument(text, { lineCounter });
  const [fault] = document.errors;
  if (fault !== undefined) {
    throw fault;
  }
  const lines = new Map<string, number>();
  for (const { key } of yaml.isMap(document.contents) ? document.contents.items : []) {
    if (yaml.isScalar(key) && key.range) {
      lines.set(String(key.value), lineCounter.linePos(key.range[0]).line);
    }
  }
  return { value: document.toJS(), lines };
}

function wrongWords({ type, whenMissing }: ConfigFilePlace): string[] {
  const words = [
    ["config-type", type, ENDINGS],
    ["config-file-not-found-handling", whenMissing, MISSING_WORDS],
  ] as const;
  return words.flatMap(([flag, value, allowed]) =>
    value === undefined || allowed.some((word) => word === value)
      ? []
      : [`--${flag}: ${JSON.stringify(value)} is none of ${allowed.join(", ")}`],
  );
}

function find({ name, directories = "." }: ConfigFilePlace): string | undefined {
  if (name === undefined) {
    return undefined;
  }
  const candidates = directories
    .split(",")
    .flatMap((directory) => ENDINGS.map((ending) => join(directory, `${name}.${ending}`)));
  return candidates.find((candidate) => existsSync(candidate));
}

function missing(problem: string, { whenMissing }: ConfigFilePlace): FileSettings {
  switch (whenMissing) {
    case "ignore":
      return NO_FILE;
    case "warn":
      return { ...NO_FILE, warning: `--config-file: ${problem}` };
    default:
      return failed(problem);
  }
}

function failed(problem: string): FileSettings {
  return { ...NO_FILE, problems: [`--config-file: ${problem}`] };
}

function valuesIn(
  { value: content, lines }: FileContent,
  path: string,
  { known, lists }: FileKeys,
): Pick<FileSettings, "values" | "problems"> {
  if (content === null) {
    return NO_FILE;
  }
  if (typeof content !== "object" || Array.isArray(content)) {
    return failed(`${path} must hold settings as "name: value"`);
  }
  const problems: string[] = [];
  const values: Record<string, string> = {};
  for (const [name, value] of Object.entries(content)) {
    const line = lines.get(name);
    const where = line === undefined ? path : `${path}:${line}`;
    const isList = lists.has(name) && Array.isArray(value);
    const text = isList ? listOf(value) : textOf(value);
    if (!known.has(name)) {
      problems.push(
        `${shownName(name)} in ${where}: there is no such setting${suggestion(name, known)}`,
      );
    } else if (text === undefined) {
      problems.push(`${name} in ${where}: must be a text or a number`);
    } else {
      values[name] = text;
    }
  }
  return { values, problems };
}

function textOf(value: unknown): string | undefined {
  const isPlain =
    typeof value === "string" || typeof value === "number" || typeof value === "boolean";
  return isPlain ? String(value) : undefined;
}

function listOf(values: readonly unknown[]): string | undefined {
  const texts = values.map(textOf);
  return texts.includes(undefined) ? undefined : texts.join(",");
}

function isAbsence(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

function unreadable(path: string, error: unknown): string {
  if (error instanceof yaml.YAMLParseError) {
    const [what = ""] = error.message.split(/ at line \d+|\n/, 1);
    return `${path}:${error.linePos?.[0].line ?? 1}: is not YAML: ${what}`;
  }
  return `${path} ${fileFault(error)}`;
}

/** The fields of a package.json that list other packages. */
export const DEPENDENCY_FIELDS = [
  "dependencies",
  "devDependencies",
  "optionalDependencies",
  "peerDependencies",
] as const;

/** One of {@link DEPENDENCY_FIELDS}. */
export type DependencyField = (typeof DEPENDENCY_FIELDS)[number];

/** One line of a dependency field. */
export interface Dependency {
  readonly field: DependencyField;
  readonly name: string;
  readonly range: string;
  /** 1-based line in the package.json. */
  readonly line: number;
}

/** What the boundary check needs of a package.json. */
export interface Manifest {
  readonly name: string;
  /** Keys of `exports`: ".", "./testing", "./gen/*". Undefined when the field is missing. */
  readonly exportKeys: readonly string[] | undefined;
  readonly dependencies: readonly Dependency[];
}

/**
 * Reads a package.json.
 *
 * @throws SyntaxError when the text is no JSON object
 */
export function parseManifest(text: string): Manifest {
  const json: unknown = JSON.parse(text);
  if (!isRecord(json)) {
    throw new SyntaxError("a package.json is a JSON object");
  }
  const name = json["name"];
  return {
    name: typeof name === "string" ? name : "",
    exportKeys: exportKeys(json["exports"]),
    dependencies: DEPENDENCY_FIELDS.flatMap((field) => dependenciesIn(text, field, json[field])),
  };
}

function exportKeys(exports: unknown): readonly string[] | undefined {
  if (exports === undefined) {
    return undefined;
  }
  if (!isRecord(exports)) {
    return ["."];
  }
  const keys = Object.keys(exports);
  return keys.some((key) => key.startsWith(".")) ? keys : ["."];
}

function dependenciesIn(text: string, field: DependencyField, value: unknown): Dependency[] {
  if (!isRecord(value)) {
    return [];
  }
  return Object.entries(value).map(([name, range]) => ({
    field,
    name,
    range: typeof range === "string" ? range : "",
    line: lineOfEntry(text, field, name),
  }));
}

/** Finds `"name":` after `"field":`; JSON.parse does not say where it was. */
function lineOfEntry(text: string, field: string, name: string): number {
  const start = text.indexOf(`${JSON.stringify(field)}:`);
  const entry = text.indexOf(`${JSON.stringify(name)}:`, start);
  return text.slice(0, Math.max(entry, 0)).split("\n").length;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** The fields of a package.json that list other packages. */
export const DEPENDENCY_FIELDS = [
  "dependencies",
  "devDependencies",
  "optionalDependencies",
  "peerDependencies",
] as const;

/** One line of one of {@link DEPENDENCY_FIELDS}. */
export interface Dependency {
  readonly field: (typeof DEPENDENCY_FIELDS)[number];
  readonly name: string;
  readonly range: string;
}

/** A package of the workspace, as its package.json describes it. */
export interface WorkspacePackage {
  /** Folder from the root: "packages/topo". The root itself is ".". */
  readonly folder: string;
  readonly name: string;
  readonly version: string;
  /** Published to npm. */
  readonly public: boolean;
  /** Keys of `exports`: ".", "./testing", "./gen/*". Undefined for a program, which has none. */
  readonly exportKeys: readonly string[] | undefined;
  readonly dependencies: readonly Dependency[];
}

/** Every package of the workspace below `root`, sorted by folder; the root itself is not one. */
export function workspacePackages(root: string): WorkspacePackage[] {
  const pattern = ["packages/*", "apps/*", "dev/*", "benchmarks", "e2e"];
  return globSync(
    pattern.map((folder) => `${folder}/package.json`),
    { cwd: root },
  )
    .toSorted()
    .map((path) => readPackage(root, dirname(path)));
}

/**
 * Reads the package.json in one folder below `root`.
 *
 * @throws Error when it is no JSON object
 */
export function readPackage(root: string, folder: string): WorkspacePackage {
  const manifest: unknown = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"));
  if (!isRecord(manifest)) {
    throw new Error(`${folder}/package.json is no object`);
  }
  return {
    folder,
    name: String(manifest["name"]),
    version: String(manifest["version"]),
    public: manifest["private"] !== true,
    exportKeys: exportKeys(manifest["exports"]),
    dependencies: DEPENDENCY_FIELDS.flatMap((field) => dependenciesIn(field, manifest[field])),
  };
}

function exportKeys(exports: unknown): readonly string[] | undefined {
  if (exports === undefined) {
    return undefined;
  }
  const keys = isRecord(exports) ? Object.keys(exports) : [];
  return keys.some((key) => key.startsWith(".")) ? keys : ["."];
}

function dependenciesIn(field: Dependency["field"], value: unknown): Dependency[] {
  const entries = isRecord(value) ? Object.entries(value) : [];
  return entries.map(([name, range]) => ({ field, name, range: String(range) }));
}

/** Whether `value`, as JSON has it, is an object. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

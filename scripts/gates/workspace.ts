import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A package of the workspace, as far as gates care. */
export interface WorkspacePackage {
  /** Folder from the root: "packages/topo". */
  readonly folder: string;
  readonly name: string;
  readonly version: string;
  /** Published to npm. */
  readonly public: boolean;
  /** Has entry points for `import`; a program has none. */
  readonly importable: boolean;
}

/** Every package of the workspace below `root`, sorted by folder; the root itself is not one. */
export function workspacePackages(root: string): WorkspacePackage[] {
  const pattern = ["packages/*", "apps/*", "dev/*", "benchmarks", "e2e"];
  return globSync(
    pattern.map((folder) => `${folder}/package.json`),
    { cwd: root },
  )
    .toSorted()
    .map((path) => readPackage(path, readFileSync(join(root, path), "utf8")));
}

function readPackage(path: string, text: string): WorkspacePackage {
  const manifest: unknown = JSON.parse(text);
  if (typeof manifest !== "object" || manifest === null) {
    throw new Error(`${path} is no object`);
  }
  const field = (name: string): unknown => Reflect.get(manifest, name);
  return {
    folder: path.slice(0, -"/package.json".length),
    name: String(field("name")),
    version: String(field("version")),
    public: field("private") !== true,
    importable: field("exports") !== undefined,
  };
}

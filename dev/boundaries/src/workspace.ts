import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, matchesGlob } from "node:path";

import { parseManifest } from "./manifest.ts";
import type { Manifest } from "./manifest.ts";
import type { BoundaryTable } from "./table.ts";

/** A package of the workspace and the source files in its folder. */
export interface WorkspacePackage {
  /** Folder from the repository's root, with `/`: "packages/topo". The root itself is ".". */
  readonly folder: string;
  readonly manifest: Manifest;
  /** False for workshops, which are all tests and tools. */
  readonly product: boolean;
  /** Source files from the repository's root, sorted. */
  readonly files: readonly string[];
}

const PARENTS = ["packages", "apps", "dev"] as const;
const SINGLES = ["benchmarks", "e2e"] as const;
const SOURCE_PATTERN = /\.[cm]?[jt]sx?$/;
const SKIPPED_FOLDERS: ReadonlySet<string> = new Set(["node_modules", "dist", "coverage"]);

/** Reads every package under `root`, the root's own scripts included. */
export function readWorkspace(root: string, table: BoundaryTable): WorkspacePackage[] {
  const folders = [
    ...PARENTS.flatMap((parent) => subfolders(root, parent)),
    ...SINGLES.filter((single) => exists(join(root, single, "package.json"))),
  ];
  const packages = folders.map((folder) => readPackage(root, folder, table));
  return exists(join(root, "package.json")) ? [...packages, readRoot(root)] : packages;
}

/** True for what ships: code in `src/` of a product, without tests and what is listed as their support. */
export function isProductFile(
  file: string,
  { folder, product }: WorkspacePackage,
  table: BoundaryTable,
): boolean {
  return (
    product &&
    file.startsWith(`${folder}/src/`) &&
    !/\.test\.[cm]?tsx?$/.test(file) &&
    !table.testSupport.some((glob) => matchesGlob(file, glob))
  );
}

function subfolders(root: string, parent: string): string[] {
  if (!exists(join(root, parent))) {
    return [];
  }
  return readdirSync(join(root, parent))
    .filter((name) => exists(join(root, parent, name, "package.json")))
    .toSorted()
    .map((name) => `${parent}/${name}`);
}

function readPackage(root: string, folder: string, table: BoundaryTable): WorkspacePackage {
  return {
    folder,
    manifest: readManifest(root, folder),
    product: !table.workshops.some((glob) => matchesGlob(folder, glob)),
    files: sourceFiles(root, folder),
  };
}

function readRoot(root: string): WorkspacePackage {
  const here = readdirSync(root).filter((name) => SOURCE_PATTERN.test(name));
  const scripts = exists(join(root, "scripts")) ? sourceFiles(root, "scripts") : [];
  return {
    folder: ".",
    manifest: readManifest(root, "."),
    product: false,
    files: [...here, ...scripts].toSorted(),
  };
}

function readManifest(root: string, folder: string): Manifest {
  return parseManifest(readFileSync(join(root, folder, "package.json"), "utf8"));
}

function sourceFiles(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .flatMap((entry) => {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) {
        return SKIPPED_FOLDERS.has(entry.name) || entry.name.startsWith(".")
          ? []
          : sourceFiles(root, path);
      }
      return entry.isFile() && SOURCE_PATTERN.test(entry.name) ? [path] : [];
    })
    .toSorted();
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

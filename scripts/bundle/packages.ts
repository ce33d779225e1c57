import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { isRecord } from "../gates/workspace.ts";

const OWN = "@multipooler/";

/** A package that modules of a bundle come from. */
export interface BundledPackage {
  readonly folder: string;
  readonly name: string;
  readonly version: string;
  /** An SPDX expression. */
  readonly license: string;
  /** Its modules that are in the bundle. */
  readonly modules: readonly string[];
}

/**
 * The packages that modules come from, by name and version. What is no file of a package is left out.
 *
 * @throws Error for a package that names no license
 */
export function packagesOf(modules: Iterable<string>): readonly BundledPackage[] {
  const byFolder = Map.groupBy(modules, (module) => packageFolder(dirname(module)));
  return [...byFolder]
    .flatMap(([folder, those]) => (folder === undefined ? [] : [packageIn(folder, those)]))
    .toSorted((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1));
}

/** Whether a package is one of this repository. */
export function isOwn({ name }: Pick<BundledPackage, "name">): boolean {
  return name.startsWith(OWN);
}

function packageIn(folder: string, modules: readonly string[]): BundledPackage {
  const { name, version, license } = manifestIn(folder);
  if (typeof license !== "string" || license === "") {
    throw new Error(`${String(name)} ${String(version)} names no license in its package.json`);
  }
  // Some put the whole expression in parentheses.
  const expression = license.replace(/^\(([^()]*)\)$/, "$1");
  return { folder, name: String(name), version: String(version), license: expression, modules };
}

function packageFolder(folder: string): string | undefined {
  // Folders in a package may have a package.json that tells only how to read their modules.
  const { name, version } = manifestIn(folder);
  if (typeof name === "string" && typeof version === "string") {
    return folder;
  }
  const parent = dirname(folder);
  return parent === folder || !folder.startsWith("/") ? undefined : packageFolder(parent);
}

function manifestIn(folder: string): Readonly<Record<string, unknown>> {
  const file = join(folder, "package.json");
  const manifest: unknown = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : undefined;
  return isRecord(manifest) ? manifest : {};
}

function keyOf({ name, version }: BundledPackage): string {
  return `${name}@${version}`;
}

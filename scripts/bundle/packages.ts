import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { isRecord } from "../gates/workspace.ts";

/** A package that modules of a bundle come from. */
export interface BundledPackage {
  readonly folder: string;
  readonly name: string;
  readonly version: string;
  readonly license: string;
}

/** The packages that modules come from, by name and version. What is no file of a package is left out. */
export function packagesOf(modules: Iterable<string>): readonly BundledPackage[] {
  const found = new Map<string, BundledPackage>();
  for (const module of modules) {
    const one = packageOf(dirname(module));
    if (one !== undefined) {
      found.set(`${one.name}@${one.version}`, one);
    }
  }
  return [...found.entries()]
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(([, one]) => one);
}

function packageOf(folder: string): BundledPackage | undefined {
  const file = join(folder, "package.json");
  const manifest: unknown = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : undefined;
  // Folders in a package may have a package.json that tells only how to read their modules.
  const { name, version, license } = isRecord(manifest) ? manifest : {};
  if (typeof name === "string" && typeof version === "string") {
    return { folder, name, version, license: String(license) };
  }
  const parent = dirname(folder);
  return parent === folder || !folder.startsWith("/") ? undefined : packageOf(parent);
}

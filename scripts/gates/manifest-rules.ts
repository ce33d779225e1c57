import { basename, matchesGlob } from "node:path";

import { mayImport, onlyTestsMayImport } from "../lint/boundary-table.ts";
import type { BoundaryTable } from "../lint/boundary-table.ts";
import type { Dependency, WorkspacePackage } from "./workspace.ts";

/** One thing that is wrong with a package.json, or with one entry of it. */
export interface ManifestFault {
  readonly entry?: Dependency;
  readonly message: string;
}

/** Judges the package.json of `subject`, which is one of `packages`. */
export function manifestFaults(
  subject: WorkspacePackage,
  packages: readonly WorkspacePackage[],
  table: BoundaryTable,
): readonly ManifestFault[] {
  const { folder, name, dependencies } = subject;
  const forms = dependencies.flatMap((entry) => rangeFault(entry, packages));
  if (folder === ".") {
    return forms;
  }
  if (table.imports[folder] === undefined) {
    return [{ message: `${folder} is not in the table of scripts/lint/boundary-table.ts` }];
  }
  const expected = `${table.scope}/${table.otherNames[folder] ?? basename(folder)}`;
  const wrongName =
    name === expected
      ? []
      : [{ message: `the package in ${folder} is called "${name}", not "${expected}"` }];
  const edges = dependencies.flatMap((entry) =>
    dependencyFault(entry, { subject, packages, table }),
  );
  return [...wrongName, ...forms, ...edges];
}

function rangeFault(entry: Dependency, packages: readonly WorkspacePackage[]): ManifestFault[] {
  const internal = packages.some(({ name }) => name === entry.name);
  const expected = internal ? "workspace:^" : "catalog:";
  // A peer range says what the package works with, so it cannot be one pinned version.
  if (entry.range === expected || (entry.field === "peerDependencies" && !internal)) {
    return [];
  }
  const { field, name, range } = entry;
  return [{ entry, message: `${field}: "${name}" is "${range}" and should be "${expected}"` }];
}

interface Surroundings {
  readonly subject: WorkspacePackage;
  readonly packages: readonly WorkspacePackage[];
  readonly table: BoundaryTable;
}

function dependencyFault(
  entry: Dependency,
  { subject: { folder }, packages, table }: Surroundings,
): ManifestFault[] {
  const { field, name } = entry;
  if (table.withoutDependencies.includes(folder) && field !== "devDependencies") {
    return [{ entry, message: `${field}: "${name}"; ${folder} has no dependency at all` }];
  }
  const imported = packages.find((each) => each.name === name);
  if (imported === undefined) {
    return [];
  }
  const edge = { importer: folder, imported: imported.folder };
  if (mayImport(table, edge)) {
    return [];
  }
  if (field === "devDependencies" && onlyTestsMayImport(table, edge)) {
    return [];
  }
  const workshop = table.workshops.some((glob) => matchesGlob(folder, glob));
  if (table.testModules.includes(name) && (field === "devDependencies" || workshop)) {
    return [];
  }
  return [{ entry, message: `${field}: ${folder} may not depend on ${imported.folder}` }];
}

import { basename } from "node:path";

import type { Dependency } from "./manifest.ts";
import type { BoundaryTable } from "./table.ts";
import type { Rule, Violation } from "./violation.ts";
import type { WorkspacePackage } from "./workspace.ts";

/** Judges the package.json of one package by the table. */
export function judgeManifest(
  subject: WorkspacePackage,
  packages: readonly WorkspacePackage[],
  table: BoundaryTable,
): Violation[] {
  const file = subject.folder === "." ? "package.json" : `${subject.folder}/package.json`;
  const at = (rule: Rule, line: number, message: string): Violation => ({
    rule,
    file,
    line,
    message,
  });
  if (subject.folder === ".") {
    return subject.manifest.dependencies.flatMap((entry) => protocol(entry, packages, at));
  }
  const allowed = table.imports[subject.folder];
  if (allowed === undefined) {
    return [at("unlisted-package", 1, `${subject.folder} is not in the table of dev/boundaries`)];
  }
  return [
    ...name(subject, table, at),
    ...subject.manifest.dependencies.flatMap((entry) => [
      ...protocol(entry, packages, at),
      ...forbidden(entry, { subject, packages, table, allowed }, at),
      ...unwanted(entry, subject, table, at),
    ]),
  ];
}

type Report = (rule: Rule, line: number, message: string) => Violation;

interface DependencyContext {
  readonly subject: WorkspacePackage;
  readonly packages: readonly WorkspacePackage[];
  readonly table: BoundaryTable;
  readonly allowed: readonly string[] | "everything";
}

function name(
  { folder, manifest }: WorkspacePackage,
  table: BoundaryTable,
  at: Report,
): Violation[] {
  const expected = `${table.scope}/${basename(folder)}`;
  if (manifest.name === expected) {
    return [];
  }
  return [
    at("manifest", 1, `the package in ${folder} is called "${manifest.name}", not "${expected}"`),
  ];
}

function protocol(
  entry: Dependency,
  packages: readonly WorkspacePackage[],
  at: Report,
): Violation[] {
  const internal = packages.some(({ manifest }) => manifest.name === entry.name);
  const expected = internal ? "workspace:^" : "catalog:";
  // A peer range says what the package works with, so it cannot be one pinned version.
  if (entry.range === expected || (entry.field === "peerDependencies" && !internal)) {
    return [];
  }
  const message = `${entry.field}: "${entry.name}" is "${entry.range}" and should be "${expected}"`;
  return [at("manifest", entry.line, message)];
}

function forbidden(entry: Dependency, context: DependencyContext, at: Report): Violation[] {
  const { subject, packages, table, allowed } = context;
  const imported = packages.find(({ manifest }) => manifest.name === entry.name);
  if (imported === undefined || allowed === "everything") {
    return [];
  }
  if (allowed.includes(imported.folder)) {
    return [];
  }
  const forTests = table.testModules.includes(entry.name);
  if (forTests && (entry.field === "devDependencies" || !subject.product)) {
    return [];
  }
  const message = `${entry.field}: ${subject.folder} may not depend on ${imported.folder}`;
  return [at("forbidden-import", entry.line, message)];
}

function unwanted(
  entry: Dependency,
  { folder }: WorkspacePackage,
  table: BoundaryTable,
  at: Report,
): Violation[] {
  if (!table.withoutDependencies.includes(folder) || entry.field === "devDependencies") {
    return [];
  }
  const message = `${entry.field}: "${entry.name}"; ${folder} has no dependency at all`;
  return [at("no-dependency", entry.line, message)];
}

import { join, matchesGlob } from "node:path";

import type { ModuleRequest } from "./module-requests.ts";
import { offers, targetOf } from "./specifier.ts";
import type { Target } from "./specifier.ts";
import type { BoundaryTable } from "./table.ts";
import type { Rule, Violation } from "./violation.ts";
import { isProductFile } from "./workspace.ts";
import type { WorkspacePackage } from "./workspace.ts";

/** Everything an import is judged by. */
export interface Surroundings {
  readonly table: BoundaryTable;
  readonly packages: readonly WorkspacePackage[];
  readonly importer: WorkspacePackage;
  /** Path of the importing file from the repository's root. */
  readonly file: string;
}

interface Finding {
  readonly rule: Rule;
  readonly message: string;
}

type PackageTarget = Extract<Target, { kind: "package" }>;

/** Judges one module request by the table. One request can break several rules. */
export function judgeRequest(request: ModuleRequest, around: Surroundings): Violation[] {
  return findings(request, around).map((finding) => ({
    ...finding,
    file: around.file,
    line: request.line,
  }));
}

function findings(request: ModuleRequest, around: Surroundings): Finding[] {
  if (request.form === "computed") {
    return computedImport(around);
  }
  const found = request.form === "star-export" ? starExport(request, around) : [];
  const target = targetOf(request.specifier);
  switch (target.kind) {
    case "builtin":
      return found;
    case "relative":
      return [...found, ...relativeImport(target.path, around)];
    case "package":
      return [...found, ...packageImport(target, around)];
  }
}

function computedImport({ table, importer, file }: Surroundings): Finding[] {
  if (!isProductFile(file, importer, table)) {
    return [];
  }
  const message = "an import() of a computed name cannot be checked; write the name as a literal";
  return [{ rule: "computed-import", message }];
}

function starExport({ specifier }: ModuleRequest, { table, file }: Surroundings): Finding[] {
  if (table.generated.some((glob) => matchesGlob(file, glob))) {
    return [];
  }
  const message = `"export * from ${specifier}" hides what is public; list each name`;
  return [{ rule: "star-export", message }];
}

function relativeImport(path: string, { table, importer, file }: Surroundings): Finding[] {
  const target = join(file, "..", path);
  const inside = importer.folder === "." ? target : target.startsWith(`${importer.folder}/`);
  if (path.startsWith("/") || !inside || target.startsWith("..")) {
    const message = `"${path}" leaves ${importer.folder}; import another package by its name`;
    return [{ rule: "relative-escape", message }];
  }
  if (isProductFile(file, importer, table) && !isProductFile(target, importer, table)) {
    const message = `product code imports "${path}", which is no product code`;
    return [{ rule: "test-only", message }];
  }
  return [];
}

function packageImport(target: PackageTarget, around: Surroundings): Finding[] {
  const { packages, importer, table } = around;
  const imported = packages.find(({ manifest }) => manifest.name === target.name);
  if (imported === importer) {
    return exportsOf(imported, target);
  }
  const own = target.name.startsWith(`${table.scope}/`);
  return [
    ...(imported === undefined ? [] : allowedPackage(imported, around)),
    ...(imported === undefined ? [] : exportsOf(imported, target)),
    ...(own && imported === undefined ? [unknownPackage(target)] : []),
    ...testModule(target, around),
    ...confinedModule(target, around),
    ...declared(target, around),
  ];
}

function allowedPackage(imported: WorkspacePackage, { table, importer }: Surroundings): Finding[] {
  const allowed = table.imports[importer.folder] ?? [];
  if (allowed === "everything" || allowed.includes(imported.folder)) {
    return [];
  }
  // Whether a test module is in the right place is another rule's question.
  if (table.testModules.includes(imported.manifest.name)) {
    return [];
  }
  if (imported.folder.startsWith("apps/")) {
    const message = `${importer.folder} imports the app ${imported.folder}; apps compose, nobody imports them`;
    return [{ rule: "app-import", message }];
  }
  const list = allowed.length === 0 ? "nothing" : allowed.join(", ");
  const message = `${importer.folder} may not import ${imported.folder}; of this repository it may import ${list}`;
  return [{ rule: "forbidden-import", message }];
}

function exportsOf(imported: WorkspacePackage, target: PackageTarget): Finding[] {
  // Node offers every file of a package without exports; its package.json is all that is promised.
  const keys = imported.manifest.exportKeys ?? ["./package.json"];
  if (offers(keys, target.key)) {
    return [];
  }
  const list = keys.length === 0 ? "nothing" : keys.join(", ");
  const message = `"${target.name}" does not export "${target.key}"; it exports ${list}`;
  return [{ rule: "deep-import", message }];
}

function unknownPackage(target: PackageTarget): Finding {
  return { rule: "undeclared-import", message: `no package here is called "${target.name}"` };
}

function testModule(target: PackageTarget, { table, importer, file }: Surroundings): Finding[] {
  if (!isProductFile(file, importer, table) || !table.testModules.includes(target.name)) {
    return [];
  }
  return [
    { rule: "test-only", message: `product code imports "${target.name}", which is for tests` },
  ];
}

function confinedModule(target: PackageTarget, { table, importer, file }: Surroundings): Finding[] {
  const places = table.confined[target.name];
  if (places === undefined || !isProductFile(file, importer, table)) {
    return [];
  }
  if (places.some((glob) => matchesGlob(file, glob))) {
    return [];
  }
  const message = `"${target.name}" may be imported only in ${places.join(", ")}`;
  return [{ rule: "confined-module", message }];
}

function declared(target: PackageTarget, { table, importer, file }: Surroundings): Finding[] {
  const entries = importer.manifest.dependencies.filter(({ name }) => name === target.name);
  if (entries.length === 0) {
    const message = `"${target.name}" is not in the package.json of ${importer.folder}`;
    return [{ rule: "undeclared-import", message }];
  }
  const development = entries.every(({ field }) => field === "devDependencies");
  if (!development || !isProductFile(file, importer, table)) {
    return [];
  }
  const message = `product code imports "${target.name}", which ${importer.folder} has only among its devDependencies`;
  return [{ rule: "undeclared-import", message }];
}

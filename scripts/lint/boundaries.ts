import { isBuiltin } from "node:module";
import { join, matchesGlob, relative } from "node:path";

import type { WorkspacePackage } from "../gates/workspace.ts";
import { mayImport, onlyTestsMayImport } from "./boundary-table.ts";
import type { BoundaryTable } from "./boundary-table.ts";
import { moduleRequest, REQUEST_TYPES } from "./module-request.ts";
import type { ModuleRequest } from "./module-request.ts";
import type { LintRule, SyntaxNode } from "./syntax.ts";

/** Everything that imports are judged by. */
export interface Workspace {
  /** Absolute path of the repository's root. */
  readonly root: string;
  /** The packages below it, the root itself included. */
  readonly packages: readonly WorkspacePackage[];
  readonly table: BoundaryTable;
}

/** Every import keeps to the table, to what its package declares and to what the other one exports. */
export function boundariesIn(workspace: Workspace): LintRule {
  return {
    create: (context) => {
      const file = relative(workspace.root, context.filename);
      const judge = (node: SyntaxNode): void => {
        const request = moduleRequest(node);
        const message = request && importFault(request, file, workspace);
        if (message !== undefined) {
          context.report({ node, message });
        }
      };
      return Object.fromEntries(REQUEST_TYPES.map((type) => [type, judge]));
    },
  };
}

/**
 * The first reason why `file`, a path from the root, may not import what it requests: what follows
 * from it is not said as well.
 */
export function importFault(
  request: ModuleRequest,
  file: string,
  workspace: Workspace,
): string | undefined {
  const importer = importerOf(file, workspace);
  if (request.form === "computed") {
    return importer.ships
      ? "an import() of a computed name cannot be checked; write the name as a literal"
      : undefined;
  }
  const { form, specifier } = request;
  const wrongModule = /^[./]/.test(specifier)
    ? relativeFault(specifier, importer)
    : packageFault(specifier, importer);
  if (wrongModule === undefined && form === "star-export") {
    return `"export * from ${specifier}" hides what is public; list each name`;
  }
  return wrongModule;
}

/** A file that imports. */
interface Importer extends Workspace {
  /** Path from the repository's root. */
  readonly file: string;
  readonly owner: WorkspacePackage;
  /** It ships: it is code in `src/` of a product, no test and no support of tests. */
  readonly ships: boolean;
}

/** A module of a package; `key` is written as in `exports`: "." or "./testing". */
interface PackageModule {
  readonly name: string;
  readonly key: string;
}

function importerOf(file: string, workspace: Workspace): Importer {
  const { packages, table } = workspace;
  const owner =
    packages.find(({ folder }) => file.startsWith(`${folder}/`)) ??
    packages.find(({ folder }) => folder === ".");
  if (owner === undefined) {
    throw new Error(`the workspace has no root package, and ${file} is in no other`);
  }
  return { ...workspace, file, owner, ships: ships(file, owner.folder, table) };
}

function ships(file: string, folder: string, { workshops, testSupport }: BoundaryTable): boolean {
  return (
    folder !== "." &&
    !workshops.some((glob) => matchesGlob(folder, glob)) &&
    file.startsWith(`${folder}/src/`) &&
    !/\.test\.[cm]?tsx?$/.test(file) &&
    !testSupport.some((glob) => matchesGlob(file, glob))
  );
}

function relativeFault(path: string, importer: Importer): string | undefined {
  const { file, owner, table } = importer;
  const target = join(file, "..", path);
  const inside = owner.folder === "." || target.startsWith(`${owner.folder}/`);
  if (path.startsWith("/") || target.startsWith("..") || !inside) {
    return `"${path}" leaves ${owner.folder}; import another package by its name`;
  }
  return importer.ships && !ships(target, owner.folder, table)
    ? `product code imports "${path}", which is no product code`
    : undefined;
}

function packageFault(specifier: string, importer: Importer): string | undefined {
  if (isBuiltin(specifier)) {
    return undefined;
  }
  const { packages, owner, table } = importer;
  const module = packageModule(specifier);
  const imported = packages.find(({ name }) => name === module.name);
  if (imported === owner) {
    return exportFault(module, imported);
  }
  if (imported === undefined && module.name.startsWith(`${table.scope}/`)) {
    return `no package here is called "${module.name}"`;
  }
  return (
    (imported && (packageEdgeFault(imported, importer) ?? exportFault(module, imported))) ??
    placeFault(module, importer) ??
    declarationFault(module, importer)
  );
}

/** "@scope/name/sub/path" is "./sub/path" of the package "@scope/name". */
function packageModule(specifier: string): PackageModule {
  const parts = specifier.split("/");
  const length = specifier.startsWith("@") ? 2 : 1;
  const rest = parts.slice(length).join("/");
  return { name: parts.slice(0, length).join("/"), key: rest === "" ? "." : `./${rest}` };
}

function packageEdgeFault(
  { folder, name }: WorkspacePackage,
  { owner, ships: isProduct, table }: Importer,
): string | undefined {
  const edge = { importer: owner.folder, imported: folder };
  const isAllowed = mayImport(table, edge) || (!isProduct && onlyTestsMayImport(table, edge));
  // Where a test module may be imported is not a question of packages.
  if (isAllowed || table.testModules.includes(name)) {
    return undefined;
  }
  if (folder.startsWith("apps/")) {
    return `${owner.folder} imports the app ${folder}; apps compose, nobody imports them`;
  }
  const allowed = [table.imports[owner.folder] ?? []].flat();
  const list = allowed.length === 0 ? "nothing" : allowed.join(", ");
  return `${owner.folder} may not import ${folder}; of this repository it may import ${list}`;
}

/** Node offers every file of a package without exports; its package.json is all that is promised. */
function exportFault(
  { name, key }: PackageModule,
  { exportKeys = ["./package.json"] }: WorkspacePackage,
): string | undefined {
  return exportKeys.some((exported) => offers(exported, key))
    ? undefined
    : `"${name}" does not export "${key}"; it exports ${exportKeys.join(", ")}`;
}

/** Whether a key of `exports`, which may hold one `*`, offers `key`. */
function offers(exported: string, key: string): boolean {
  const [before = "", after] = exported.split("*");
  if (after === undefined) {
    return exported === key;
  }
  const shortest = before.length + after.length;
  return key.startsWith(before) && key.endsWith(after) && key.length > shortest;
}

function placeFault({ name }: PackageModule, importer: Importer): string | undefined {
  const { file, table } = importer;
  if (!importer.ships) {
    return undefined;
  }
  if (table.testModules.includes(name)) {
    return `product code imports "${name}", which is for tests`;
  }
  const places = table.confined[name];
  return places === undefined || places.some((glob) => matchesGlob(file, glob))
    ? undefined
    : `"${name}" may be imported only in ${places.join(", ")}`;
}

function declarationFault({ name }: PackageModule, importer: Importer): string | undefined {
  const { owner } = importer;
  const entries = owner.dependencies.filter((entry) => entry.name === name);
  if (entries.length === 0) {
    return `"${name}" is not in the package.json of ${owner.folder}`;
  }
  return importer.ships && entries.every(({ field }) => field === "devDependencies")
    ? `product code imports "${name}", which ${owner.folder} has only among its devDependencies`
    : undefined;
}

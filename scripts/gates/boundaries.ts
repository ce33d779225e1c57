import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { importFault } from "../lint/boundaries.ts";
import type { Workspace } from "../lint/boundaries.ts";
import { BOUNDARIES } from "../lint/boundary-table.ts";
import type { GateResult } from "./gate.ts";
import { manifestFaults } from "./manifest-rules.ts";
import { readPackage, workspacePackages } from "./workspace.ts";
import type { Dependency } from "./workspace.ts";

/**
 * Every package.json lists only what the table of boundaries allows. What sources import is judged by
 * the lint rule `multipooler/boundaries`, except in generated ones, which are not linted: these are
 * looked at here. The table has no exceptions, so no comment may turn the rule off.
 */
export async function checkBoundaries(root: string): Promise<GateResult> {
  const packages = [...workspacePackages(root), readPackage(root, ".")];
  const workspace = { root, packages, table: BOUNDARIES };
  const faults = [
    ...inManifests(workspace),
    ...inGeneratedCode(workspace),
    ...packages.flatMap(({ folder }) => exceptions(root, folder)),
  ];
  return faults.length === 0
    ? { ok: true, output: `${packages.length} package.json files` }
    : { ok: false, output: faults.join("\n") };
}

function inManifests({ root, packages, table }: Workspace): string[] {
  return packages.flatMap((subject) => {
    const path = join(subject.folder, "package.json");
    const text = readFileSync(join(root, path), "utf8");
    return manifestFaults(subject, packages, table).map(
      ({ entry, message }) => `${path}:${lineOf(text, entry)}: ${message}`,
    );
  });
}

/** The line of an entry; JSON.parse does not say where it was. */
function lineOf(text: string, entry: Dependency | undefined): number {
  if (entry === undefined) {
    return 1;
  }
  const start = text.indexOf(`${JSON.stringify(entry.field)}:`);
  const end = text.indexOf(`${JSON.stringify(entry.name)}:`, start);
  return text.slice(0, Math.max(end, 0)).split("\n").length;
}

/** A generator writes its imports in one form, each on a line, so that no parser is needed. */
function inGeneratedCode(workspace: Workspace): string[] {
  const files = globSync([...workspace.table.generated], { cwd: workspace.root });
  return files
    .filter((file) => file.endsWith(".ts"))
    .flatMap((file) => {
      const lines = readFileSync(join(workspace.root, file), "utf8").split("\n");
      return lines.flatMap((line, index) => {
        const [, specifier] = /^(?:import|export)\b.*["'](\S+)["'];?$/.exec(line) ?? [];
        const fault = specifier && importFault({ form: "named", specifier }, file, workspace);
        return fault === undefined ? [] : [`${file}:${index + 1}: ${fault}`];
      });
    });
}

function exceptions(root: string, folder: string): string[] {
  const pattern = folder === "." ? "{*,scripts/**/*}" : `${folder}/**/*`;
  return globSync(`${pattern}.{ts,mts,cts,js,mjs,cjs}`, {
    cwd: root,
    exclude: (path) => /(^|\/)(node_modules|dist)$/.test(path),
  }).flatMap((file) => {
    const lines = readFileSync(join(root, file), "utf8").split("\n");
    return lines.flatMap((line, index) =>
      /(?:^|[\s;}])\/[/*]\s*(?:es|ox)lint-disable.*multipooler\/boundaries/.test(line)
        ? [`${file}:${index + 1}: the boundaries have no exceptions; change the table instead`]
        : [],
    );
  });
}

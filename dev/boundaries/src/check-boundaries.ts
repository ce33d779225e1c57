import { readFileSync } from "node:fs";
import { join } from "node:path";

import { judgeRequest } from "./import-rules.ts";
import { judgeManifest } from "./manifest-rules.ts";
import { moduleRequests } from "./module-requests.ts";
import type { BoundaryTable } from "./table.ts";
import type { Violation } from "./violation.ts";
import { readWorkspace } from "./workspace.ts";
import type { WorkspacePackage } from "./workspace.ts";

/** What was looked at and what was wrong with it. */
export interface BoundaryReport {
  readonly packages: number;
  readonly files: number;
  readonly imports: number;
  readonly violations: readonly Violation[];
}

/** Reads every package.json and every import below `root` and judges them by `table`. */
export function checkBoundaries(root: string, table: BoundaryTable): BoundaryReport {
  const packages = readWorkspace(root, table);
  const violations: Violation[] = [];
  let imports = 0;
  for (const importer of packages) {
    violations.push(...judgeManifest(importer, packages, table));
    for (const file of importer.files) {
      const found = judgeFile(root, file, { importer, packages, table });
      imports += found.imports;
      violations.push(...found.violations);
    }
  }
  const files = packages.flatMap((each) => each.files).length;
  return { packages: packages.length, files, imports, violations };
}

interface FileContext {
  readonly importer: WorkspacePackage;
  readonly packages: readonly WorkspacePackage[];
  readonly table: BoundaryTable;
}

function judgeFile(
  root: string,
  file: string,
  context: FileContext,
): { readonly imports: number; readonly violations: readonly Violation[] } {
  const parsed = moduleRequests(file, readFileSync(join(root, file), "utf8"));
  if (!parsed.ok) {
    const { line, reason } = parsed;
    return { imports: 0, violations: [{ rule: "unreadable-source", file, line, message: reason }] };
  }
  const violations = parsed.requests.flatMap((request) =>
    judgeRequest(request, { ...context, file }),
  );
  return { imports: parsed.requests.length, violations };
}

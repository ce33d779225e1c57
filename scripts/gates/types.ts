import { existsSync, globSync } from "node:fs";
import { join } from "node:path";

import { command, mapLimited } from "./command.ts";
import { allOf } from "./gate.ts";
import type { GateResult } from "./gate.ts";
import { workspacePackages } from "./workspace.ts";

/** Type-checks every package, tests included, and the root's own scripts. */
export async function checkTypes(root: string): Promise<GateResult> {
  const folders = [...workspacePackages(root).map(({ folder }) => folder), "."];
  const results = await mapLimited(folders, 2, (folder) => checkFolder(root, folder));
  const result = allOf(results);
  return result.ok ? { ok: true, output: `${folders.length} projects` } : result;
}

async function checkFolder(root: string, folder: string): Promise<GateResult> {
  if (!existsSync(join(root, folder, "tsconfig.json"))) {
    return { ok: false, output: `${folder} has no tsconfig.json` };
  }
  const args = ["-p", folder, "--pretty", "false", "--listFiles"];
  const { ok, output } = await command("tsc", args, { cwd: root });
  const lines = output.split("\n");
  // A file that no tsconfig.json includes would be checked by nobody.
  const forgotten = sources(root, folder).filter((file) => !lines.includes(join(root, file)));
  if (ok && forgotten.length === 0) {
    return { ok: true, output: "" };
  }
  const errors = lines.filter((line) => !line.startsWith("/"));
  const unchecked = forgotten.map((file) => `${file}: not included by ${folder}/tsconfig.json`);
  return { ok: false, output: [...errors, ...unchecked].join("\n") };
}

function sources(root: string, folder: string): string[] {
  const patterns =
    folder === "." ? ["*.ts", "scripts/**/*.{ts,mjs}"] : [`${folder}/**/*.{ts,mts,cts}`];
  return globSync(patterns, {
    cwd: root,
    exclude: (path) => /(^|\/)(node_modules|dist)$/.test(path),
  });
}

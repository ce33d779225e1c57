import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { command, mapLimited } from "./command.ts";
import { allOf } from "./gate.ts";
import type { GateResult } from "./gate.ts";
import { workspacePackages } from "./workspace.ts";
import type { WorkspacePackage } from "./workspace.ts";

/** Packs every public package as it would be published and looks at what is in the tarball. */
export async function checkPackaging(root: string): Promise<GateResult> {
  const packages = workspacePackages(root).filter((each) => each.public);
  if (packages.length === 0) {
    return { ok: false, output: "there is no public package" };
  }
  const scratch = mkdtempSync(join(tmpdir(), "multipooler-pack-"));
  try {
    const results = await mapLimited(packages, 2, (each) => checkPackage(root, scratch, each));
    const result = allOf(results);
    return result.ok ? { ok: true, output: `${packages.length} tarballs` } : result;
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

async function checkPackage(
  root: string,
  scratch: string,
  subject: WorkspacePackage,
): Promise<GateResult> {
  const tarball = join(scratch, `${subject.name.replace("/", "-")}.tgz`);
  const packed = await command("pnpm", ["pack", "--out", tarball], {
    cwd: join(root, subject.folder),
    tools: root,
  });
  if (!packed.ok) {
    return named(subject, "pnpm pack", packed);
  }
  const listed = await command("tar", ["-tzf", tarball], { cwd: scratch });
  const inside = { cwd: scratch, tools: root };
  return allOf([
    named(subject, "contents", judgeContents(listed.output.split("\n"))),
    named(subject, "publint", await command("publint", [tarball, "--strict"], inside)),
    ...(subject.exportKeys !== undefined
      ? [named(subject, "attw", await command("attw", [tarball, ...ATTW_OPTIONS], inside))]
      : []),
  ]);
}

const ATTW_OPTIONS = ["--profile", "esm-only", "--format", "ascii", "--no-emoji"] as const;

/** What belongs into a tarball: the build, schemas, and the three documents that npm shows or asks for. */
function judgeContents(paths: readonly string[]): GateResult {
  const files = paths.map((path) => path.replace(/^package\//, ""));
  const required = ["package.json", "README.md", "LICENSE"];
  const missing = required.filter((file) => !files.includes(file));
  const strange = files.filter(
    (file) =>
      ![...required, "CHANGELOG.md"].includes(file) &&
      !file.startsWith("dist/") &&
      !/^[^/]+\.schema\.json$/.test(file),
  );
  const tests = files.filter((file) => /\.test\.(js|d\.ts)/.test(file));
  const built = files.some((file) => file.startsWith("dist/") && file.endsWith(".js"));
  const faults = [
    ...missing.map((file) => `${file} is missing`),
    ...strange.map((file) => `${file} does not belong into the package`),
    ...tests.map((file) => `${file} is a test`),
    ...(built ? [] : ["there is no JavaScript in dist; build first"]),
  ];
  return { ok: faults.length === 0, output: faults.join("\n") };
}

function named({ folder }: WorkspacePackage, tool: string, result: GateResult): GateResult {
  return { ok: result.ok, output: `${folder}: ${tool}\n${result.output}` };
}

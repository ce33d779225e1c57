import { readFileSync } from "node:fs";
import { join } from "node:path";
import { command } from "../gates/command.ts";
import { isRecord, workspacePackages } from "../gates/workspace.ts";
import type { PackedPackage } from "./tarballs.ts";

/** A public package and the version that a release gives it. */
export interface PlannedPackage {
  readonly name: string;
  readonly folder: string;
  readonly version: string;
  /** The same as `version` for one that no changeset names. */
  readonly next: string;
}

/** The public packages, or why the changesets cannot be read. */
export async function packagesToRelease(
  root: string,
  scratch: string,
): Promise<{ readonly packages: readonly PlannedPackage[] } | { readonly reason: string }> {
  const report = join(scratch, "plan.json");
  const { ok, output } = await command("changeset", ["status", `--output=${report}`], {
    cwd: root,
  });
  if (!ok) {
    return { reason: `changeset status: ${output}` };
  }
  const next = nextVersions(JSON.parse(readFileSync(report, "utf8")));
  const packages = workspacePackages(root)
    .filter((each) => each.public)
    .map(({ name, folder, version }) => ({
      name,
      folder,
      version,
      next: next.get(name) ?? version,
    }));
  return { packages };
}

function nextVersions(plan: unknown): ReadonlyMap<string, string> {
  const releases: unknown = isRecord(plan) ? plan["releases"] : undefined;
  const pairs = (Array.isArray(releases) ? releases : []).flatMap((release: unknown) =>
    isRecord(release) ? [[String(release["name"]), String(release["newVersion"])] as const] : [],
  );
  return new Map(pairs);
}

/** A line for each package. */
export function planText(packages: readonly PackedPackage[]): string {
  const rows = packages.map(({ name, version, next, files, bytes }) => [
    name,
    version === next ? `${version} as it is` : `${version} -> ${next}`,
    `${files} files`,
    `${Math.ceil(bytes / 1024)} KiB`,
  ]);
  const widths = [0, 1, 2].map((column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows
    .map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "))
    .join("\n");
}

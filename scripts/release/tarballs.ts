import { statSync } from "node:fs";
import { join } from "node:path";
import { command, mapLimited } from "../gates/command.ts";
import type { PlannedPackage } from "./release-plan.ts";

/** A package as it would be published. */
export interface PackedPackage extends PlannedPackage {
  readonly files: number;
  readonly bytes: number;
}

/** Packs packages into a folder, or says which cannot be packed. */
export async function packAll(
  root: string,
  folder: string,
  packages: readonly PlannedPackage[],
): Promise<{ readonly packages: readonly PackedPackage[] } | { readonly reason: string }> {
  const results = await mapLimited(packages, 2, (each) => pack(root, folder, each));
  const failed = results.flatMap((result) => ("reason" in result ? [result.reason] : []));
  return failed.length > 0
    ? { reason: failed.join("\n") }
    : { packages: results.flatMap((result) => ("reason" in result ? [] : [result])) };
}

async function pack(
  root: string,
  folder: string,
  each: PlannedPackage,
): Promise<PackedPackage | { readonly reason: string }> {
  const name = each.name.replace("@", "").replace("/", "-");
  const tarball = join(folder, `${name}-${each.version}.tgz`);
  const packed = await command("pnpm", ["pack", "--out", tarball], {
    cwd: join(root, each.folder),
    tools: root,
  });
  const listed = packed.ok ? await command("tar", ["-tzf", tarball], { cwd: root }) : packed;
  return listed.ok
    ? { ...each, files: listed.output.split("\n").length, bytes: statSync(tarball).size }
    : { reason: `${each.folder}: ${listed.output}` };
}

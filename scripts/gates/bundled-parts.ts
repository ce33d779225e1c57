import type { LockFile } from "./lock-file.ts";
import type { WorkspacePackage } from "./workspace.ts";

/** Whether a package is a program, which has in itself what it depends on. */
export function isProgram(subject: WorkspacePackage): boolean {
  return subject.public && subject.exportKeys === undefined;
}

/** The packages of the workspace that a program is bundled from, itself included. */
export function bundledFrom(
  program: WorkspacePackage,
  packages: readonly WorkspacePackage[],
): readonly WorkspacePackage[] {
  const found = new Set([program]);
  // A set goes on with what is added to it meanwhile.
  for (const { dependencies } of found) {
    const names = new Set(
      dependencies.filter(({ field }) => field === "dependencies").map(({ name }) => name),
    );
    for (const each of packages.filter(({ name }) => names.has(name))) {
      found.add(each);
    }
  }
  return [...found];
}

/** Whether others' packages that these are shipped with have changed. */
export function pinsDiffer(
  parts: readonly WorkspacePackage[],
  { before, now }: { readonly before: LockFile; readonly now: LockFile },
): boolean {
  const folders = parts.map(({ folder }) => folder);
  return before.shippedWith(folders).join() !== now.shippedWith(folders).join();
}

import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, matchesGlob } from "node:path";

import { bundledFrom, isProgram, pinsDiffer } from "./bundled-parts.ts";
import { changesetStatus, withUntracked } from "./changeset-status.ts";
import type { Changeset } from "./changeset-status.ts";
import { command } from "./command.ts";
import type { GateResult } from "./gate.ts";
import { LockFile } from "./lock-file.ts";
import { workspacePackages } from "./workspace.ts";
import type { WorkspacePackage } from "./workspace.ts";

/**
 * Every public package that differs from main is named by a changeset that main does not have.
 * `changeset status` reads the changesets; alone it would be content with one for any package. An
 * empty changeset (`changeset add --empty`) says that no release is needed. A package whose version
 * differs from main's is being released, which uses its changesets up. A program has its libraries in it: it
 * is to be released with them, which a changeset for one of them leads to (`updateInternalDependents`).
 *
 * Where there is no main to compare with (a shallow clone of another branch, a tarball), only the
 * changesets since the oldest commit are read, and the output says so.
 */
export async function checkChangesets(root: string): Promise<GateResult> {
  const head = await command("git", ["rev-parse", "--verify", "HEAD"], { cwd: root });
  if (!head.ok) {
    return {
      ok: true,
      isSkipped: true,
      output: "nothing compared: this is no clone with a commit",
    };
  }
  const scratch = mkdtempSync(join(tmpdir(), "multipooler-changesets-"));
  try {
    const env = await withUntracked(root, scratch);
    return await compare({ root, scratch, env });
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

/** The repository with its untracked files, and a folder for what tools write. */
interface Surroundings {
  readonly root: string;
  readonly scratch: string;
  readonly env: Readonly<Record<string, string>>;
}

async function compare(around: Surroundings): Promise<GateResult> {
  const published = workspacePackages(around.root).filter((each) => each.public);
  const main = await baseCommit(around);
  const since = main ?? (await oldestCommit(around));
  const files = (await run(around, "diff", "--name-only", since)).split("\n");
  // Without any changeset, `changeset status` fails for a release, too.
  const written = files.filter((file) => isChangeset(around.root, file));
  const status =
    written.length > 0
      ? await changesetStatus(around.root, { since, ...around })
      : ({ ok: true, changesets: [], released: new Set<string>() } as const);
  if (!status.ok) {
    return { ok: false, output: [`Read: ${written.join(", ")}`, status.reason].join("\n") };
  }
  const wrong = status.changesets.flatMap((each) => faults(each, published));
  if (wrong.length > 0) {
    return { ok: false, output: wrong.join("\n") };
  }
  if (main === undefined) {
    return {
      ok: true,
      isSkipped: true,
      output: "nothing compared: neither origin/main nor main is in this clone",
    };
  }
  const changed = published.filter((each) => hasChanged(each, files));
  const rebuilt = await rebuiltPrograms(around, main, files);
  const unreleased = rebuilt.filter(({ name }) => !status.released.has(name));
  const missing: string[] = [];
  for (const each of unnamed([...new Set([...changed, ...unreleased])], status.changesets)) {
    if (!(await isReleased(around, main, each))) {
      missing.push(each.name);
    }
  }
  return verdict(`${main.slice(0, 12)} on main`, changed.length, missing);
}

function verdict(range: string, changed: number, missing: readonly string[]): GateResult {
  if (missing.length === 0) {
    return { ok: true, output: `${changed} public packages differ from ${range}` };
  }
  const names = missing.map((name) => `  ${name}`);
  const advice = "Run `pnpm changeset` and commit what it writes.";
  return { ok: false, output: [`No changeset since ${range} for`, ...names, advice].join("\n") };
}

function isChangeset(root: string, file: string): boolean {
  return matchesGlob(file, ".changeset/*.md") && existsSync(join(root, file));
}

/** What `changeset status` lets pass: packages without releases, and releases without a word. */
function faults(
  { file, summary, packages }: Changeset,
  published: readonly WorkspacePackage[],
): string[] {
  return [
    ...packages
      .filter((name) => !published.some((each) => each.name === name))
      .map((name) => `${file} names ${name}, which is not published`),
    ...(packages.length > 0 && summary.trim() === "" ? [`${file} does not say what changed`] : []),
  ];
}

/** Those of `changed` that no changeset names, unless an empty one says that nothing is released. */
function unnamed(
  changed: readonly WorkspacePackage[],
  changesets: readonly Changeset[],
): readonly WorkspacePackage[] {
  const noRelease = changesets.some(({ packages }) => packages.length === 0);
  const named = new Set(changesets.flatMap(({ packages }) => packages));
  return noRelease ? [] : changed.filter(({ name }) => !named.has(name));
}

/** Where this branch left main; the tip itself on main. */
async function baseCommit({ root }: Surroundings): Promise<string | undefined> {
  for (const ref of ["origin/main", "main"]) {
    const found = await command("git", ["merge-base", "HEAD", ref], { cwd: root });
    if (found.ok) {
      return found.output;
    }
  }
  return undefined;
}

async function oldestCommit(around: Surroundings): Promise<string> {
  const roots = await run(around, "rev-list", "--max-parents=0", "HEAD");
  return roots.split("\n").at(-1) ?? "HEAD";
}

/** As `changedFilePatterns` in .changeset/config.json has it. */
function hasChanged({ folder }: WorkspacePackage, files: readonly string[]): boolean {
  return files.some(
    (file) =>
      file === `${folder}/package.json` ||
      (matchesGlob(file, `${folder}/src/**`) && !file.endsWith(".test.ts")),
  );
}

/** Programs that are bundled from something that differs from main: a library, or another version of others'. */
async function rebuiltPrograms(
  around: Surroundings,
  main: string,
  files: readonly string[],
): Promise<readonly WorkspacePackage[]> {
  const packages = workspacePackages(around.root);
  const before = new LockFile(await run(around, "show", `${main}:pnpm-lock.yaml`));
  const locks = { before, now: LockFile.in(around.root) };
  return packages.filter(isProgram).filter((program) => {
    const parts = bundledFrom(program, packages);
    return parts.some((each) => hasChanged(each, files)) || pinsDiffer(parts, locks);
  });
}

async function isReleased(
  { root }: Surroundings,
  main: string,
  subject: WorkspacePackage,
): Promise<boolean> {
  const path = `${subject.folder}/package.json`;
  const shown = await command("git", ["show", `${main}:${path}`], { cwd: root });
  // What main does not have yet needs a changeset for its first release.
  return shown.ok && !shown.output.includes(`"version": "${subject.version}"`);
}

async function run({ root, env }: Surroundings, ...args: string[]): Promise<string> {
  const { ok, output } = await command("git", args, { cwd: root, env });
  if (!ok) {
    throw new Error(`git ${args.join(" ")}: ${output}`);
  }
  return output;
}

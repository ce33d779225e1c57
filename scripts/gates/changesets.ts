import { globSync, readFileSync } from "node:fs";
import { join, matchesGlob } from "node:path";

import { parseChangeset } from "./changeset-file.ts";
import type { ChangesetFile } from "./changeset-file.ts";
import { command } from "./command.ts";
import type { GateResult } from "./gate.ts";
import { workspacePackages } from "./workspace.ts";
import type { WorkspacePackage } from "./workspace.ts";

/**
 * Every public package that differs from main is named by a changeset that main does not have.
 * An empty changeset (`changeset add --empty`) says that no release is needed. A package whose
 * version differs from main's is being released, which uses its changesets up.
 *
 * Where there is no main to compare with (a shallow clone of another branch, a tarball), only the
 * form of the changesets is checked, and the output says so.
 */
export async function checkChangesets(root: string): Promise<GateResult> {
  const published = workspacePackages(root).filter((each) => each.public);
  const changesets = readChangesets(root, published);
  const malformed = changesets.flatMap(({ file, content }) =>
    content.ok ? [] : [`${file} ${content.reason}`],
  );
  if (malformed.length > 0) {
    return { ok: false, output: malformed.join("\n") };
  }
  const git: Git = (...args) => command("git", args, { cwd: root });
  const base = await baseCommit(git);
  if (base === undefined) {
    return { ok: true, output: "nothing compared: neither origin/main nor main is in this clone" };
  }
  const files = await changedFiles(git, base);
  const changed = published.filter((each) => hasChanged(each, files));
  const named = releasedBy(changesets.filter(({ file }) => files.includes(file)));
  const missing: string[] = [];
  for (const each of changed) {
    if (named === "no release" || named.has(each.name)) {
      continue;
    }
    if (!(await isReleased(git, base, each))) {
      missing.push(each.name);
    }
  }
  return verdict(`${base.slice(0, 12)} on main`, changed.length, missing);
}

function verdict(range: string, changed: number, missing: readonly string[]): GateResult {
  if (missing.length === 0) {
    return { ok: true, output: `${changed} public packages differ from ${range}` };
  }
  const names = missing.map((name) => `  ${name}`);
  const advice = "Run `pnpm changeset` and commit what it writes.";
  return { ok: false, output: [`No changeset since ${range} for`, ...names, advice].join("\n") };
}

type Git = (...args: string[]) => Promise<{ readonly ok: boolean; readonly output: string }>;

interface Changeset {
  readonly file: string;
  readonly content: ChangesetFile;
}

function readChangesets(root: string, published: readonly WorkspacePackage[]): Changeset[] {
  const names = published.map(({ name }) => name);
  const files = globSync(".changeset/*.md", { cwd: root, exclude: ["**/README.md"] });
  return files.map((file) => ({
    file,
    content: parseChangeset(readFileSync(join(root, file), "utf8"), names),
  }));
}

/** The packages that `changesets` name, unless an empty one says that nothing is to be released. */
function releasedBy(changesets: readonly Changeset[]): ReadonlySet<string> | "no release" {
  const lists = changesets.map(({ content }) => (content.ok ? content.packages : []));
  return lists.some((names) => names.length === 0) ? "no release" : new Set(lists.flat());
}

/** Where this branch left main; the tip itself on main. */
async function baseCommit(git: Git): Promise<string | undefined> {
  for (const ref of ["origin/main", "main"]) {
    const found = await git("merge-base", "HEAD", ref);
    if (found.ok) {
      return found.output;
    }
  }
  return undefined;
}

async function changedFiles(git: Git, base: string): Promise<readonly string[]> {
  const tracked = await git("diff", "--name-only", base);
  const untracked = await git("ls-files", "--others", "--exclude-standard");
  return [tracked, untracked].flatMap(({ ok, output }) => {
    if (!ok) {
      throw new Error(`git cannot compare with ${base}: ${output}`);
    }
    return output.split("\n");
  });
}

/** As `changedFilePatterns` in .changeset/config.json has it. */
function hasChanged({ folder }: WorkspacePackage, files: readonly string[]): boolean {
  return files.some(
    (file) =>
      file === `${folder}/package.json` ||
      (matchesGlob(file, `${folder}/src/**`) && !file.endsWith(".test.ts")),
  );
}

async function isReleased(git: Git, base: string, subject: WorkspacePackage): Promise<boolean> {
  const shown = await git("show", `${base}:${subject.folder}/package.json`);
  // What main does not have yet needs a changeset for its first release.
  return shown.ok && !shown.output.includes(`"version": "${subject.version}"`);
}

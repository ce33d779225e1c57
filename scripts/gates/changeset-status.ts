import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { command } from "./command.ts";
import { isRecord } from "./workspace.ts";

/** A changeset, as `changeset status` reads it. */
export interface Changeset {
  /** Path from the root. */
  readonly file: string;
  /** What changed, for users. */
  readonly summary: string;
  /** Names of the packages it releases; none says that no release is needed. */
  readonly packages: readonly string[];
}

/** Changesets, or why they cannot be read. */
export type ChangesetStatus =
  | {
      readonly ok: true;
      readonly changesets: readonly Changeset[];
      /** Names of the packages that are released by them, those that depend on a named one included. */
      readonly released: ReadonlySet<string>;
    }
  | { readonly ok: false; readonly reason: string };

/**
 * Environment in which git, and what uses git, sees the files of `root` that are not added yet: an
 * index of its own in `scratch` announces them.
 */
export async function withUntracked(
  root: string,
  scratch: string,
): Promise<Readonly<Record<string, string>>> {
  const index = await command(
    "git",
    ["rev-parse", "--path-format=absolute", "--git-path", "index"],
    {
      cwd: root,
    },
  );
  const env = { GIT_INDEX_FILE: join(scratch, "index") };
  copyFileSync(index.output, env.GIT_INDEX_FILE);
  await command("git", ["add", "--intent-to-add", "--all"], { cwd: root, env });
  return env;
}

/** The changesets below `root` that the commit `since` does not have. */
export async function changesetStatus(
  root: string,
  {
    since,
    scratch,
    env,
  }: {
    readonly since: string;
    readonly scratch: string;
    readonly env: Readonly<Record<string, string>>;
  },
): Promise<ChangesetStatus> {
  const report = join(scratch, "status.json");
  const args = ["status", `--since=${since}`, `--output=${report}`];
  const { ok, output } = await command("changeset", args, { cwd: root, env });
  if (!ok) {
    return { ok, reason: output.replaceAll(/^(?: +at |🦋).*\n?/gmu, "").trim() };
  }
  const plan: unknown = JSON.parse(readFileSync(report, "utf8"));
  const released = list(plan, "releases").filter((each) => text(each, "type") !== "none");
  return {
    ok,
    changesets: list(plan, "changesets").map(changeset),
    released: new Set(released.map((each) => text(each, "name"))),
  };
}

function changeset(json: unknown): Changeset {
  return {
    file: `.changeset/${text(json, "id")}.md`,
    summary: text(json, "summary"),
    packages: list(json, "releases").map((release) => text(release, "name")),
  };
}

function list(json: unknown, field: string): readonly unknown[] {
  const value = isRecord(json) ? json[field] : undefined;
  if (!Array.isArray(value)) {
    throw new TypeError(`changeset status wrote no list "${field}"`);
  }
  return value;
}

function text(json: unknown, field: string): string {
  const value = isRecord(json) ? json[field] : undefined;
  if (typeof value !== "string") {
    throw new TypeError(`changeset status wrote no text "${field}"`);
  }
  return value;
}

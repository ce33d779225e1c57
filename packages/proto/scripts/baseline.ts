import { run } from "./run.ts";

/** The refs that hold what is released, in the order of preference. */
const CANDIDATES = ["origin/main", "main"] as const;

/** The commit to compare the wire contract with, or why there is none. */
export type Baseline =
  | { readonly type: "commit"; readonly ref: string; readonly commit: string }
  | { readonly type: "none"; readonly reason: string };

/**
 * Finds the main branch of `repository`, provided that it holds `file`. A shallow clone may lack the
 * branch, and a downloaded archive has no history at all: neither is a fault.
 */
export async function findBaseline(repository: string, file: string): Promise<Baseline> {
  const git = (...args: string[]) => run("git", args, { cwd: repository });
  try {
    await git("rev-parse", "--git-dir");
  } catch (error) {
    return { type: "none", reason: error instanceof Error ? error.message : String(error) };
  }
  let reason = `this clone has neither ${CANDIDATES.join(" nor ")}`;
  for (const ref of CANDIDATES) {
    const commit = await commitOf(ref, git);
    if (commit === undefined) {
      continue;
    }
    if ((await git("ls-tree", commit, file)).length > 0) {
      return { type: "commit", ref, commit };
    }
    reason = `${ref} has no ${file}`;
  }
  return { type: "none", reason };
}

async function commitOf(
  ref: string,
  git: (...args: string[]) => Promise<Buffer>,
): Promise<string | undefined> {
  try {
    return (await git("rev-parse", "--verify", "--quiet", `${ref}^{commit}`)).toString().trim();
  } catch {
    return undefined;
  }
}

/** A changeset: which packages it releases, or what is wrong with it. */
export type ChangesetFile =
  | { readonly ok: true; readonly packages: readonly string[] }
  | { readonly ok: false; readonly reason: string };

const BUMPS: ReadonlySet<string> = new Set(["patch", "minor", "major"]);

/**
 * Reads a file of `.changeset/`: lines `"<package>": <bump>` between two lines `---`, then what
 * changed for users. Without such lines it says that no release is needed.
 */
export function parseChangeset(text: string, publicPackages: readonly string[]): ChangesetFile {
  const [, head, body] = /^---\n([^]*?)^---\n([^]*)$/m.exec(text) ?? [];
  if (head === undefined || body === undefined) {
    return { ok: false, reason: "has no front matter" };
  }
  const packages: string[] = [];
  for (const line of head.split("\n").filter((each) => each.trim() !== "")) {
    const [, name, bump] = /^["']([^"']+)["']: (\w+)$/.exec(line) ?? [];
    if (name === undefined || bump === undefined || !BUMPS.has(bump)) {
      return { ok: false, reason: `has the line ${line}, which names no package and bump` };
    }
    if (!publicPackages.includes(name)) {
      return { ok: false, reason: `names ${name}, which is not published` };
    }
    packages.push(name);
  }
  if (packages.length > 0 && body.trim() === "") {
    return { ok: false, reason: "does not say what changed" };
  }
  return { ok: true, packages };
}

import { readFileSync } from "node:fs";
import { join } from "node:path";

const SHIPPED = new Set(["dependencies", "optionalDependencies"]);

/** What pnpm-lock.yaml pins. */
export class LockFile {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The one below `root`. */
  static in(root: string): LockFile {
    return new LockFile(readFileSync(join(root, "pnpm-lock.yaml"), "utf8"));
  }

  /** The hash of a package of the registry, e.g. "sha512-…"; `undefined`: it has none. */
  integrity({
    name,
    version,
  }: {
    readonly name: string;
    readonly version: string;
  }): string | undefined {
    const key = `${name}@${version}`;
    for (const head of [`\n  ${key}:\n`, `\n  '${key}':\n`]) {
      const at = this.#text.indexOf(head);
      if (at !== -1) {
        return /^ +resolution: \{integrity: ([^,}]+)/.exec(this.#text.slice(at + head.length))?.[1];
      }
    }
    return undefined;
  }

  /** Others' packages that packages of the workspace are shipped with, as "name@version", sorted. */
  shippedWith(folders: readonly string[]): readonly string[] {
    const importers = dependenciesIn(this.#section("importers"));
    const snapshots = dependenciesIn(this.#section("snapshots"));
    const found = new Set(folders.flatMap((folder) => importers.get(folder) ?? []));
    // A set goes on with what is added to it meanwhile.
    for (const key of found) {
      for (const each of snapshots.get(key) ?? []) {
        found.add(each);
      }
    }
    return [...found].filter((key) => !key.includes("@link:")).toSorted();
  }

  #section(name: string): string {
    const [, after = ""] = this.#text.split(`\n${name}:\n`, 2);
    return after.split(/^(?=\S)/m, 1).join("");
  }
}

/** By importer or package, what it is shipped with. A version is in the line of a name, or in one below it. */
function dependenciesIn(section: string): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  let list: string[] = [];
  let isShipped = false;
  let name = "";
  for (const line of section.split("\n")) {
    const [, indent = "", key = "", value] =
      /^( *)'?([^\s':]+(?::[^\s':]+)*)'?:(?: (.+))?$/.exec(line) ?? [];
    if (indent.length === 2) {
      list = [];
      found.set(key, list);
    } else if (indent.length === 4) {
      isShipped = SHIPPED.has(key);
    } else if (indent.length === 6) {
      name = key;
    }
    const isVersion = indent.length === 6 || (indent.length === 8 && key === "version");
    if (isShipped && isVersion && value !== undefined) {
      list.push(`${name}@${value}`);
    }
  }
  return found;
}

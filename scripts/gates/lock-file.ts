import { readFileSync } from "node:fs";
import { join } from "node:path";

/** What pnpm-lock.yaml below `root` pins. */
export class LockFile {
  readonly #text: string;

  constructor(root: string) {
    this.#text = readFileSync(join(root, "pnpm-lock.yaml"), "utf8");
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
}

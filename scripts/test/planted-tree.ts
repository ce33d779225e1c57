import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { workspacePackages } from "../gates/workspace.ts";

/** New contents by path; a function gets the present text. */
export type Plants = Readonly<Record<string, string | ((text: string) => string)>>;

/**
 * Copies the repository at `source`, uncommitted files included, to a temporary folder, as a git
 * repository whose main branch holds all of it. What is installed is linked and what is built is
 * copied, so that gates run on it as they do here.
 */
export function copyRepository(source: string): PlantedTree {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "planted-")));
  const copy = (path: string): void => {
    if (existsSync(join(source, path))) {
      cpSync(join(source, path), join(root, path), { recursive: true });
    }
  };
  const files = runGit(source, ["ls-files", "--cached", "--others", "--exclude-standard", "-z"]);
  for (const path of files.split("\0").filter((each) => each !== "")) {
    copy(path);
  }
  for (const folder of [".", ...workspacePackages(source).map((each) => each.folder)]) {
    const modules = join(folder, "node_modules");
    if (existsSync(join(source, modules))) {
      symlinkSync(join(source, modules), join(root, modules));
    }
    copy(join(folder, "dist"));
  }
  const tree = new PlantedTree(root);
  // The pattern of .gitignore ends in a slash, which a link does not match.
  writeFileSync(join(root, ".git-excludes"), "node_modules\n.git-excludes\n");
  tree.git("init", "--quiet", "--initial-branch=main");
  tree.git("config", "core.excludesFile", join(root, ".git-excludes"));
  tree.git("add", "--all");
  const author = ["-c", "user.name=Planter", "-c", "user.email=planter@localhost"];
  tree.git(...author, "commit", "--quiet", "--message=Everything");
  tree.git("checkout", "--quiet", "-b", "work");
  return tree;
}

/** A copy of the repository to plant faults in. */
export class PlantedTree implements Disposable {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  /** Runs git in the copy. */
  git(...args: string[]): string {
    return runGit(this.root, args);
  }

  /** Plants faults until the result is disposed of. */
  plant(plants: Plants): Disposable {
    for (const [path, change] of Object.entries(plants)) {
      const file = join(this.root, path);
      const text = typeof change === "string" ? change : change(readFileSync(file, "utf8"));
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
    }
    return { [Symbol.dispose]: () => this.#restore() };
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true });
  }

  #restore(): void {
    this.git("reset", "--quiet", "--hard");
    this.git("clean", "--quiet", "--force", "-d");
  }
}

function runGit(cwd: string, args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync("git", args, { cwd, encoding: "utf8" });
  if (status !== 0) {
    throw new Error(`git ${args.join(" ")}: ${stderr}`);
  }
  return stdout;
}

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
 * A copy of this repository in a temporary folder, as a git repository whose main branch holds it.
 * What is installed is linked and what is built is copied, so that gates run on it as they do here.
 */
export class PlantedTree implements Disposable {
  readonly root: string = realpathSync(mkdtempSync(join(tmpdir(), "planted-")));

  /** Copies the repository at `source`, uncommitted files included. */
  constructor(source: string) {
    for (const path of this.#list(source)) this.#copy(source, path);
    for (const folder of [".", ...workspacePackages(source).map((each) => each.folder)]) {
      const modules = join(folder, "node_modules");
      if (existsSync(join(source, modules))) {
        symlinkSync(join(source, modules), join(this.root, modules));
      }
      this.#copy(source, join(folder, "dist"));
    }
    // The pattern of .gitignore ends in a slash, which a link does not match.
    writeFileSync(join(this.root, ".git-excludes"), "node_modules\n.git-excludes\n");
    this.git("init", "--quiet", "--initial-branch=main");
    this.git("config", "core.excludesFile", join(this.root, ".git-excludes"));
    this.git("config", "user.name", "Planter");
    this.git("config", "user.email", "planter@localhost");
    this.commit();
    this.git("checkout", "--quiet", "-b", "work");
  }

  /** Commits everything that is there on the branch that is checked out. */
  commit(): void {
    this.git("add", "--all");
    this.git("commit", "--quiet", "--allow-empty", "--message=Planted");
  }

  /** Runs git in the copy. */
  git(...args: string[]): string {
    return run(this.root, args);
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

  #list(source: string): string[] {
    const files = run(source, ["ls-files", "--cached", "--others", "--exclude-standard", "-z"]);
    return files.split("\0").filter((path) => path !== "");
  }

  #copy(source: string, path: string): void {
    if (existsSync(join(source, path))) {
      cpSync(join(source, path), join(this.root, path), { recursive: true });
    }
  }
}

function run(cwd: string, args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync("git", args, { cwd, encoding: "utf8" });
  if (status !== 0) throw new Error(`git ${args.join(" ")}: ${stderr}`);
  return stdout;
}

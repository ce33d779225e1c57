import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readFile, readdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { temporaryDirectory } from "./temporary-directory.ts";

const WORKSPACE = join(import.meta.dirname, "../..");
const GUIDE = join(WORKSPACE, "docs", "writing-a-backend.md");
const SCOPE = "@multipooler/";

/** A program that prints lines until it is stopped. */
export interface RunningProgram extends AsyncDisposable {
  /** Resolves with the next line that it prints. */
  line(): Promise<string>;
  /** SIGTERM; resolves with the code that it exits with. */
  stop(): Promise<number | null>;
}

/** A project of somebody else: it has tarballs of ours, and the files of the guide. */
export class OutsideConsumer implements AsyncDisposable {
  readonly path: string;
  readonly #directory: AsyncDisposable;

  private constructor(directory: AsyncDisposable & { readonly path: string }) {
    this.path = directory.path;
    this.#directory = directory;
  }

  /** With nothing in it. */
  static async empty(): Promise<OutsideConsumer> {
    return new OutsideConsumer(await temporaryDirectory());
  }

  /** Writes each file that the guide names in a line of its own, above the code. */
  static async create(): Promise<OutsideConsumer> {
    const consumer = await OutsideConsumer.empty();
    try {
      for (const { name, text } of guideFiles(await readFile(GUIDE, "utf8"))) {
        await writeFile(join(consumer.path, name), text);
      }
      // The compiler and Node's own types are tools, which the workspace lends.
      await consumer.#link("@types/node", join(WORKSPACE, "node_modules"));
    } catch (error) {
      await consumer[Symbol.asyncDispose]();
      throw error;
    }
    return consumer;
  }

  /** Packs packages as they would be published, and unpacks them here. Others' packages are lent. */
  async install(names: readonly string[]): Promise<void> {
    const filters = names.map((name) => `--filter=${SCOPE}${name}`);
    await run("pnpm", [...filters, "pack", "--out", join(this.path, "%s.tgz")], WORKSPACE);
    for (const name of names) {
      const tarball = join(this.path, `${SCOPE.slice(1, -1)}-${name}.tgz`);
      const folder = join(this.path, "node_modules", SCOPE, name);
      await mkdir(folder, { recursive: true });
      await run("tar", ["-xzf", tarball, "--strip-components=1", "-C", folder], this.path);
      for (const dependency of Object.keys(await this.dependencies(name))) {
        if (!dependency.startsWith(SCOPE)) {
          await this.#link(dependency, join(folderOf(name), "node_modules"));
        }
      }
    }
  }

  /** Has npm install a packed program from its tarball, with its commands. There is no registry. */
  async installCommands(name: string): Promise<void> {
    await run(
      "pnpm",
      [`--filter=${SCOPE}${name}`, "pack", "--out", join(this.path, "%s.tgz")],
      WORKSPACE,
    );
    const tarball = join(this.path, `${SCOPE.slice(1, -1)}-${name}.tgz`);
    const quiet = ["--no-audit", "--no-fund", "--registry=http://127.0.0.1:9/"];
    await run("npm", ["install", ...quiet, tarball], this.path);
  }

  /** Where a command is. */
  command(name: string): string {
    return join(this.path, "node_modules", ".bin", name);
  }

  /** What the manifest of an installed package depends on. */
  async dependencies(name: string): Promise<Readonly<Record<string, unknown>>> {
    const file = join(this.path, "node_modules", SCOPE, name, "package.json");
    return await entriesOf(file, "dependencies");
  }

  /** The packages of ours that are there. */
  async installed(): Promise<string[]> {
    return await readdir(join(this.path, "node_modules", SCOPE));
  }

  /** Rejects with the complaints of the compiler, if there are any. */
  async compile(): Promise<void> {
    const compiler = join(WORKSPACE, "node_modules", "typescript", "bin", "tsc");
    await run(process.execPath, [compiler, "-p", this.path], this.path);
  }

  /** Runs a file of tests. Rejects with their output unless all of them pass. */
  async test(file: string): Promise<{ readonly passed: number }> {
    const args = ["--test", "--test-reporter=tap", file];
    const output = await run(process.execPath, args, this.path);
    return { passed: Number(/^# pass (\d+)$/m.exec(output)?.[1]) };
  }

  /** Starts a program. */
  start(file: string, args: readonly string[]): RunningProgram {
    const child = spawn(process.execPath, [file, ...args], {
      cwd: this.path,
      stdio: ["ignore", "pipe", "inherit"],
    });
    const exited = once(child, "exit");
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    return {
      line: async () => {
        const { value, done } = await lines.next();
        if (done === true) {
          throw new Error(`${file} has ended`);
        }
        return value;
      },
      stop: async () => {
        child.kill("SIGTERM");
        await exited;
        return child.exitCode;
      },
      [Symbol.asyncDispose]: async () => {
        child.kill("SIGKILL");
        await exited;
      },
    };
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#directory[Symbol.asyncDispose]();
  }

  async #link(name: string, modules: string): Promise<void> {
    const path = join(this.path, "node_modules", name);
    await mkdir(dirname(path), { recursive: true });
    if (!existsSync(path)) {
      await symlink(join(modules, name), path);
    }
  }
}

/** The folder of a package in the workspace. */
function folderOf(name: string): string {
  const folders = ["packages", "apps"].map((parent) => join(WORKSPACE, parent, name));
  const found = folders.find((folder) => existsSync(join(folder, "package.json")));
  if (found === undefined) {
    throw new Error(`there is no package ${name}`);
  }
  return found;
}

async function entriesOf(
  manifestFile: string,
  field: "dependencies",
): Promise<Readonly<Record<string, unknown>>> {
  const manifest: unknown = JSON.parse(await readFile(manifestFile, "utf8"));
  const isManifest = typeof manifest === "object" && manifest !== null;
  const found: unknown = isManifest ? Reflect.get(manifest, field) : undefined;
  return typeof found === "object" && found !== null ? { ...found } : {};
}

function guideFiles(guide: string): readonly { readonly name: string; readonly text: string }[] {
  const named = /^`([\w.-]+)`[^\n]*:\n\n```\w+\n([^]*?)^```$/gm;
  return [...guide.matchAll(named)].map(({ 1: name = "", 2: text = "" }) => ({ name, text }));
}

async function run(program: string, args: readonly string[], cwd: string): Promise<string> {
  try {
    return (await promisify(execFile)(program, args, { cwd })).stdout;
  } catch (error) {
    const output = error instanceof Error && "stdout" in error ? String(error.stdout) : "";
    throw new Error(`${program} failed: ${output}`, { cause: error });
  }
}

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import type { PoolerController } from "@multipooler/controller-api";
import { temporaryDirectory } from "./temporary-directory.ts";

const WORKSPACE = join(import.meta.dirname, "../..");
const SOURCE = "echo-controller";

/** A project of somebody else: it has the tarballs of two packages and the code of a README. */
export class OutsideConsumer implements AsyncDisposable {
  readonly path: string;
  readonly #directory: AsyncDisposable;

  private constructor(directory: AsyncDisposable & { readonly path: string }) {
    this.path = directory.path;
    this.#directory = directory;
  }

  static async create(): Promise<OutsideConsumer> {
    const consumer = new OutsideConsumer(await temporaryDirectory());
    try {
      await writeFile(join(consumer.path, "package.json"), JSON.stringify({ type: "module" }));
      await writeFile(join(consumer.path, "tsconfig.json"), JSON.stringify(TSCONFIG));
    } catch (error) {
      await consumer[Symbol.asyncDispose]();
      throw error;
    }
    return consumer;
  }

  /** Packs a package as it would be published, and unpacks it here. */
  async install(name: string): Promise<void> {
    const tarball = join(this.path, `${name}.tgz`);
    await run("pnpm", ["pack", "--out", tarball], join(WORKSPACE, "packages", name));
    const folder = join(this.path, "node_modules", "@multipooler", name);
    await mkdir(folder, { recursive: true });
    await run("tar", ["-xzf", tarball, "--strip-components=1", "-C", folder], this.path);
  }

  /** The manifest of what was installed. */
  async manifest(name: string): Promise<unknown> {
    const file = join(this.path, "node_modules", "@multipooler", name, "package.json");
    return JSON.parse(await readFile(file, "utf8"));
  }

  async installed(): Promise<string[]> {
    const scopes = await readdir(join(this.path, "node_modules"));
    const packages = scopes.map(async (scope) => {
      const names = await readdir(join(this.path, "node_modules", scope));
      return names.map((name) => `${scope}/${name}`);
    });
    return (await Promise.all(packages)).flat();
  }

  /** Takes over the one example of the README of an installed package. Rejects unless it compiles. */
  async compileExample(name: string): Promise<void> {
    const readme = join(this.path, "node_modules", "@multipooler", name, "README.md");
    const [example, ...more] = (await readFile(readme, "utf8")).matchAll(/```ts\n(.*?)```/gsu);
    if (example?.[1] === undefined || more.length > 0) {
      throw new Error(`${readme} has not one example`);
    }
    await writeFile(join(this.path, `${SOURCE}.ts`), example[1]);
    const compiler = join(WORKSPACE, "node_modules", "typescript", "bin", "tsc");
    await run(process.execPath, [compiler, "-p", this.path], this.path);
  }

  /** An instance of the class of that name, from what was compiled. */
  async instance(className: string): Promise<PoolerController> {
    const file = join(this.path, "dist", `${SOURCE}.js`);
    if (!existsSync(file)) {
      throw new Error(`there is no ${file}`);
    }
    const module: unknown = await import(/* @vite-ignore */ pathToFileURL(file).href);
    const found: unknown =
      typeof module === "object" && module !== null ? Reflect.get(module, className) : undefined;
    if (!isControllerClass(found)) {
      throw new TypeError(`there is no class ${className}`);
    }
    return new found();
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#directory[Symbol.asyncDispose]();
  }
}

/** As strict as a consumer can be, also about the declarations of the packages. */
const TSCONFIG = {
  compilerOptions: {
    target: "esnext",
    module: "nodenext",
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noPropertyAccessFromIndexSignature: true,
    noImplicitOverride: true,
    noImplicitReturns: true,
    verbatimModuleSyntax: true,
    isolatedModules: true,
    skipLibCheck: false,
    // The compiler and Node's own types are tools, which the workspace lends.
    typeRoots: [join(WORKSPACE, "node_modules", "@types")],
    types: ["node"],
    rootDir: ".",
    outDir: "dist",
  },
  files: [`${SOURCE}.ts`],
};

function isControllerClass(value: unknown): value is new () => PoolerController {
  return typeof value === "function" && "prototype" in value;
}

async function run(program: string, args: readonly string[], cwd: string): Promise<void> {
  try {
    await promisify(execFile)(program, args, { cwd });
  } catch (error) {
    const output = error instanceof Error && "stdout" in error ? String(error.stdout) : "";
    throw new Error(`${program} failed: ${output}`, { cause: error });
  }
}

import { existsSync } from "node:fs";
import { join, resolve } from "node:path";

/** A driver whose own tests are run. */
export type SuiteName = "node-postgres" | "postgres-js";

/** What the command line says. */
interface CompatOptions {
  readonly suite: SuiteName;
  /** A clone of the driver; its packages are installed and built, if it needs that. */
  readonly checkout: string;
  /** Only files with one of these in their name are run; all where there is none. */
  readonly words: readonly string[];
}

/** A command line that makes no sense; the message says why in one line. */
export class CompatOptionsError extends Error {
  override readonly name = "CompatOptionsError";
}

/** What is there once a clone is ready, and what is wrong where it is not. */
const PREPARED: Readonly<Record<SuiteName, readonly (readonly [file: string, problem: string])[]>> =
  {
    "node-postgres": [
      ["packages/pg/test/suite.js", "is no clone of node-postgres"],
      ["node_modules/mocha", "is not installed: run its package manager there"],
      ["packages/pg-protocol/dist/index.js", "is not built: run its script build there"],
    ],
    "postgres-js": [["tests/bootstrap.js", "is no clone of postgres.js"]],
  };

/** @throws CompatOptionsError */
export function readCompatOptions(args: readonly string[]): CompatOptions {
  const [suite = "", path, ...words] = args.filter((arg) => arg !== "--");
  if (!isSuiteName(suite)) {
    throw new CompatOptionsError(`"${suite}" is no suite that is known`);
  }
  if (path === undefined) {
    throw new CompatOptionsError("the path of the clone is missing");
  }
  const checkout = resolve(path);
  for (const [file, problem] of PREPARED[suite]) {
    if (!existsSync(join(checkout, file))) {
      throw new CompatOptionsError(`${checkout} ${problem}`);
    }
  }
  return { suite, checkout, words };
}

function isSuiteName(name: string): name is SuiteName {
  return Object.hasOwn(PREPARED, name);
}

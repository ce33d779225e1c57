import { existsSync } from "node:fs";
import { join, resolve } from "node:path";

/** What the command line says. */
interface CompatOptions {
  /** A clone of node-postgres whose packages are installed and built. */
  readonly checkout: string;
  /** Only files with one of these in their name are run; all where there is none. */
  readonly words: readonly string[];
}

/** A command line that makes no sense; the message says why in one line. */
export class CompatOptionsError extends Error {
  override readonly name = "CompatOptionsError";
}

/** What is there once a clone is installed and built, and what does it. */
const PREPARED = [
  ["packages/pg/test/suite.js", "is no clone of node-postgres"],
  ["node_modules/mocha", "is not installed: run its package manager there"],
  ["packages/pg-protocol/dist/index.js", "is not built: run its script build there"],
] as const;

/** @throws CompatOptionsError */
export function readCompatOptions(args: readonly string[]): CompatOptions {
  const [suite, path, ...words] = args.filter((arg) => arg !== "--");
  if (suite !== "node-postgres") {
    throw new CompatOptionsError(`"${suite ?? ""}" is no suite that is known`);
  }
  if (path === undefined) {
    throw new CompatOptionsError("the path of the clone is missing");
  }
  const checkout = resolve(path);
  for (const [file, problem] of PREPARED) {
    if (!existsSync(join(checkout, file))) {
      throw new CompatOptionsError(`${checkout} ${problem}`);
    }
  }
  return { checkout, words };
}

import { readFileSync } from "node:fs";

/**
 * Why this version of Node cannot run the program, one line; `undefined`: it can. Written for the
 * oldest Node that somebody may start it with: what it needs is what package.json says.
 *
 * @param version such as "24.3.0"
 */
export function nodeProblem(version: string): string | undefined {
  const needed = neededMajor();
  const major = Number(version.split(".", 1)[0]);
  return major >= needed
    ? undefined
    : `multipooler needs Node.js ${needed} or newer, and this is ${version} (${process.execPath})`;
}

function neededMajor(): number {
  const manifest = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return Number(/"node": *">=(\d+)/.exec(manifest)?.[1]);
}

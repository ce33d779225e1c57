import { readFileSync } from "node:fs";

/** Reads a file without the trailing line break that editors and `echo` add. Throws Node's error. */
export function readSecretFile(path: string): string {
  return readFileSync(path, "utf8").replace(/\r?\n$/, "");
}

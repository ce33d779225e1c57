import { readFileSync } from "node:fs";

/** What a file holds, without the line end that editors and `echo` add. Throws Node's error. */
export function readSecretFile(path: string): string {
  return readFileSync(path, "utf8").replace(/\r?\n$/, "");
}

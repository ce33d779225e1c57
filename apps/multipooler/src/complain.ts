import { writeSync } from "node:fs";
import { printable } from "@multipooler/text-table";

/**
 * Prints one line to standard error, if that is possible. What it says may come from files, variables and
 * other processes, so its control characters are escaped.
 */
export function complain(line: string, { fd }: { readonly fd: number } = process.stderr): void {
  try {
    writeSync(fd, `multipooler: ${printable(line)}\n`);
  } catch {
    // A full disk or a closed pipe must not end the process.
  }
}

import type { Writable } from "node:stream";
import { IniError, readIni } from "./ini-file.ts";
import { importPgBouncer } from "./import-pgbouncer.ts";

const EXIT_USAGE = 2;

/** `import-pgbouncer`: prints our file, and a line for each setting without counterpart. */
export function importCommand(
  path: string,
  io: { readonly stdout: Writable; readonly complain: (line: string) => void },
): number {
  try {
    const { file, notes } = importPgBouncer(readIni(path), path);
    io.stdout.write(file);
    for (const { place, what, why } of notes) {
      io.complain(`${place}: ${what}: ${why}`);
    }
    return 0;
  } catch (error) {
    if (error instanceof IniError) {
      io.complain(error.message);
      return EXIT_USAGE;
    }
    throw error;
  }
}

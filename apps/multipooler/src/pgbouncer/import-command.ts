import type { Output } from "../ctl/output.ts";
import { IniError, readIni } from "./ini-file.ts";
import { importPgBouncer } from "./import-pgbouncer.ts";

const EXIT_USAGE = 2;

/** `import-pgbouncer`: prints our file, and a line for each setting without counterpart. */
export async function importCommand(
  path: string,
  io: { readonly output: Output; readonly complain: (line: string) => void },
): Promise<number> {
  try {
    const { file, notes } = importPgBouncer(readIni(path), path);
    for (const { place, what, why } of notes) {
      io.complain(`${place}: ${what}: ${why}`);
    }
    await io.output.write(file);
    return 0;
  } catch (error) {
    if (error instanceof IniError) {
      io.complain(error.message);
      return EXIT_USAGE;
    }
    throw error;
  }
}

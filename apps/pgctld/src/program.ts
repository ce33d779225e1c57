import { BaseBackupError } from "@multipooler/base-backup";
import { PgctldError } from "@multipooler/pgctld";
import { CommanderError } from "commander";
import { commandLine } from "./command-line.ts";
import type { ProgramIo } from "./command-line.ts";

/** Exit code for a wrong command line or setting; shells use the same. */
const EXIT_USAGE = 2;

/** Runs the command of a command line. Resolves with the exit code: 1 after a fault, 2 for wrong use. */
export async function runProgram(args: readonly string[], io: ProgramIo): Promise<number> {
  const abort = new AbortController();
  const stop = (): void => abort.abort(new Error("it was told to end"));
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
  try {
    await commandLine(io, abort.signal).parseAsync([...args], { from: "user" });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? 0 : EXIT_USAGE;
    }
    if (error instanceof PgctldError || error instanceof BaseBackupError) {
      io.complain(error.message);
      return error.code === "INVALID_ARGUMENT" ? EXIT_USAGE : 1;
    }
    throw error;
  } finally {
    process.off("SIGINT", stop);
    process.off("SIGTERM", stop);
  }
}

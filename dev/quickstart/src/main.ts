/** `npm start`: see HELP in options.ts. */
import { BaseBackupError } from "@multipooler/base-backup";
import { PgctldError } from "@multipooler/pgctld";
import { QuickstartError } from "./error.ts";
import { HELP, readOptions } from "./options.ts";
import { quickstart } from "./quickstart.ts";

const abort = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    // The second one is for somebody who does not want to wait; what runs ends with this process.
    if (abort.signal.aborted) {
      process.exit(1);
    }
    abort.abort();
  });
}
// The terminal may be closed before this process: there is nobody to print for then.
process.stdout.on("error", () => {});
process.stderr.on("error", () => {});

const terminal = { print: (text: string) => console.log(text), cwd: process.cwd() };

try {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) {
    terminal.print(HELP);
  } else {
    process.exitCode = await quickstart(options, terminal, { signal: abort.signal });
  }
} catch (error) {
  if (abort.signal.aborted) {
    process.exitCode = 0;
  } else if (isForPeople(error)) {
    console.error(`npm start: ${error.message}`);
    process.exitCode = 1;
  } else {
    throw error;
  }
}

/** True for errors whose message says all: no stack trace is needed. */
function isForPeople(error: unknown): error is Error {
  return (
    error instanceof QuickstartError ||
    error instanceof PgctldError ||
    error instanceof BaseBackupError ||
    (error instanceof Error && "syscall" in error)
  );
}

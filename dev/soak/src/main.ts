/** `npm run soak`: see HELP in options.ts. */
import { HELP, UsageError, readOptions } from "./options.ts";
import { soak } from "./soak.ts";

const abort = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    // The second one is for somebody who does not want to wait for the report.
    if (abort.signal.aborted) {
      process.exit(1);
    }
    abort.abort();
  });
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) {
    process.stdout.write(HELP);
  } else {
    const print = (text: string): void => console.log(text);
    const isGood = await soak(options, print, { signal: abort.signal });
    process.exitCode = isGood ? 0 : 1;
  }
} catch (error) {
  if (!(error instanceof UsageError)) {
    throw error;
  }
  process.stderr.write(`soak: ${error.message} (npm run soak -- --help)\n`);
  process.exitCode = 2;
}

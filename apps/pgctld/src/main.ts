#!/usr/bin/env node
import { runProgram } from "./program.ts";

// SIGHUP and the user signals mean nothing to the daemon, and must not end it.
for (const signal of ["SIGHUP", "SIGUSR2"] as const) {
  process.on(signal, () => undefined);
}
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  // The reader closed the output (`| head`): that is no fault.
  if (error.code !== "EPIPE") {
    throw error;
  }
});
process.exitCode = await runProgram(process.argv.slice(2), {
  env: process.env,
  print: (line) => process.stdout.write(`${line}\n`),
  complain: (line) => process.stderr.write(`pgctld: ${line}\n`),
});

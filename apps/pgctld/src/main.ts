#!/usr/bin/env node
import { ProgramOutput } from "./program-output.ts";
import { runProgram } from "./program.ts";

// SIGHUP and the user signals mean nothing to the daemon, and must not end it.
for (const signal of ["SIGHUP", "SIGUSR2"] as const) {
  process.on(signal, () => undefined);
}
const output = new ProgramOutput();
const { print, complain } = output;
const code = await runProgram(process.argv.slice(2), { env: process.env, print, complain });
process.exitCode = code === 0 && output.hasFailed ? 1 : code;

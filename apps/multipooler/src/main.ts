#!/usr/bin/env node
import { nodeProblem } from "./node-version.ts";
import { SignalGuard } from "./signal-guard.ts";
import { holdYoungGeneration } from "./young-generation.ts";

const signals = new SignalGuard();
const problem = nodeProblem(process.versions.node);
if (problem === undefined) {
  const youngGeneration = holdYoungGeneration();
  // Loaded after the handlers are installed: it takes long enough for a signal to arrive.
  const { runProgram } = await import("./program.ts");
  await signals.settle();
  await runProgram({ signals, youngGeneration });
} else {
  // The rest of the program has words that an older Node does not know.
  process.stderr.write(`${problem}\n`);
  process.exitCode = 2;
}

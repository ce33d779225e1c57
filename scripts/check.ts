/**
 * Runs the gates and ends with one line `N passed, N failed`.
 * `npm run check` runs all, `npm run check -- lint types` some, `npm run check -- --list` none.
 */
import { resolve } from "node:path";
import { parseArgs } from "node:util";

import { gates } from "./gates/all.ts";
import type { Gate, GateResult } from "./gates/gate.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    list: { type: "boolean", default: false },
    root: { type: "string", default: resolve(import.meta.dirname, "..") },
  },
});

const unknown = positionals.filter((name) => !gates.some((gate) => gate.name === name));
if (values.list) {
  for (const { name, proves } of gates) {
    console.log(`${name.padEnd(18)}${proves}`);
  }
} else if (unknown.length > 0) {
  console.error(`There is no gate ${unknown.join(", ")}; see: npm run check -- --list`);
  process.exitCode = 1;
} else {
  const chosen = gates.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  const failed = await runAll(chosen, resolve(values.root));
  if (failed.length > 0) {
    console.log(`\nFailed: ${failed.join(", ")}`);
  }
  console.log(`\n${chosen.length - failed.length} passed, ${failed.length} failed`);
  process.exitCode = failed.length === 0 ? 0 : 1;
}

/** Runs one gate after the other, so that each has the machine, and names those that failed. */
async function runAll(chosen: readonly Gate[], root: string): Promise<readonly string[]> {
  const failed: string[] = [];
  for (const gate of chosen) {
    const start = performance.now();
    const { ok, output } = await attempt(gate, root);
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    console.log(
      `${ok ? "ok    " : "FAILED"} ${gate.name.padEnd(18)}${seconds.padStart(6)} s  ${gate.proves}`,
    );
    if (ok) {
      continue;
    }
    failed.push(gate.name);
    console.log(`${output.replaceAll(/^/gm, "         ")}\n`);
  }
  return failed;
}

async function attempt(gate: Gate, root: string): Promise<GateResult> {
  try {
    return await gate.run(root);
  } catch (error) {
    return { ok: false, output: `the gate is broken: ${String(error)}` };
  }
}

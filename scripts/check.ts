/**
 * Runs the gates and ends with one line `N passed, N failed`; one that could not do its work is neither.
 * `npm run check` runs all, `npm run check -- lint types` some, `npm run check -- --list` none.
 */
import { resolve } from "node:path";
import { parseArgs } from "node:util";

import { gates } from "./gates/all.ts";
import { runGates, summary } from "./gates/run-gates.ts";

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
  const verdicts = await runGates(chosen, resolve(values.root), console.log);
  console.log(summary(verdicts));
  process.exitCode = verdicts.failed.length === 0 ? 0 : 1;
}

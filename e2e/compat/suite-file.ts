import { join } from "node:path";
import type { ClientAddress } from "../test/client-pooler.ts";
import { WHOLE_FILE } from "./comparison.ts";
import type { Outcome } from "./comparison.ts";
import { runNode } from "./node-run.ts";

const PATIENT_SUITE = join(import.meta.dirname, "patient-suite.ts");

/** Runs a file in the test runner that the package `pg` has of its own. */
export async function runSuiteFile(options: {
  readonly checkout: string;
  readonly path: string;
  readonly args: readonly string[];
  readonly address: ClientAddress;
}): Promise<readonly Outcome[]> {
  const { checkout, path, args, address } = options;
  const { output, hasSucceeded } = await runNode({
    args: ["--import", PATIENT_SUITE, path, "postgres://", ...args],
    cwd: join(checkout, "packages/pg"),
    env: { MULTIPOOLER_COMPAT_CHECKOUT: checkout },
    address,
  });
  return outcomesOf(output, hasSucceeded);
}

/** A test that has failed, and what is printed from there up to the next test. */
const FAILED = /^ {2}(.+?) +FAILED!$([^]*?)(?=^ {2}.+ (?:✔|FAILED!)$|(?![^]))/gm;

/** Reads what the runner prints: the name of each test, then a tick or FAILED. */
export function outcomesOf(output: string, hasSucceeded: boolean): readonly Outcome[] {
  const passed = [...output.matchAll(/^ {2}(.+?) +✔$/gm)].map(([, test = ""]) => test);
  const failed = [...output.matchAll(FAILED)];
  const isFileAtFault = !hasSucceeded && failed.length === 0;
  return [
    ...passed.map((test) => ({ test, hasPassed: true, output: "" })),
    ...failed.map(([, test = "", why = ""]) => ({ test, hasPassed: false, output: why.trim() })),
    { test: WHOLE_FILE, hasPassed: !isFileAtFault, output: isFileAtFault ? output : "" },
  ];
}

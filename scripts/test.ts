/**
 * Runs the tests of the whole workspace and ends with one line `N passed, N failed`.
 * Arguments go to vitest: `npm test -- --project @multipooler/pgwire`.
 */
import { globSync } from "node:fs";
import { delimiter, join } from "node:path";

import { createVitest, parseCLI } from "vitest/node";
import type { Vitest } from "vitest/node";

import { findChromium } from "./test-run/chromium.ts";
import { findEtcd } from "./test-run/etcd.ts";
import { markProcesses } from "./test-run/leftovers.ts";
import { Totals } from "./test-run/totals.ts";

const root = join(import.meta.dirname, "..");
/** Programs that were fetched for tests. */
const CACHE = join(root, "node_modules", ".cache");
const ETCD_TESTS = "**/*.etcd.test.ts";

// The programs are started hundreds of times, and most of a start is compiling.
process.env["NODE_COMPILE_CACHE"] ??= join(root, "node_modules", ".cache", "compiled");

const totals = new Totals();
const mark = markProcesses();
try {
  await runTests(process.argv.slice(2).filter((argument) => argument !== "--"));
} catch (error) {
  console.error(error);
  totals.fail("vitest could not run");
}
for (const { pid, command } of await mark.leftovers({ graceMs: 5000 })) {
  totals.fail(`a process was left behind: ${command} (PID ${pid})`);
}
mark.kill();
console.log(["", ...leftOut(), ...totals.summary()].join("\n"));
// Not exitCode: a handle that a plugin forgot must not keep a finished run from ending.
process.exit(totals.ok ? 0 : 1);

async function runTests(args: readonly string[]): Promise<void> {
  const { filter, options } = parseCLI(["vitest", "run", ...args]);
  const reporters = options.reporters ?? ["default"];
  const vitest = await createVitest({
    root,
    ...options,
    watch: false,
    reporters: [...(Array.isArray(reporters) ? reporters : [reporters]), totals],
  });
  cancelOnSignal(vitest);
  try {
    await provide(vitest, filter);
    await vitest.start(filter);
  } finally {
    await vitest.close();
  }
}

/**
 * Ends the run in order at the first signal, and at once at the second. vitest's own listeners would
 * exit at the first, and leave the servers behind that tests have started.
 */
function cancelOnSignal(vitest: Vitest): void {
  let first = true;
  const cancel = (): void => {
    if (first) {
      void vitest.cancelCurrentRun("keyboard-input");
    } else {
      mark.kill();
      process.exit(1);
    }
    first = false;
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.removeAllListeners(signal).on(signal, cancel);
  }
}

/** Finds what the chosen tests need beside what the workspace installs. */
async function provide(vitest: Vitest, filter: string[]): Promise<void> {
  const specifications = await vitest.globTestSpecifications(filter);
  const needs = (kind: string): boolean =>
    specifications.some(({ moduleId }) => moduleId.endsWith(`.${kind}.test.ts`));
  if (needs("etcd")) {
    provideEtcd();
  }
  if (needs("browser")) {
    provideChromium();
  }
}

function provideEtcd(): void {
  const etcd = findEtcd({ cache: join(CACHE, "etcd"), log: (line) => console.log(line) });
  if (!etcd.found) {
    return console.error(etcd.advice);
  }
  // Last: the folder may be that of an older Node, too.
  process.env["PATH"] = [process.env["PATH"], etcd.folder].join(delimiter);
}

/** The tests say themselves what it means for them that there is none. */
function provideChromium(): void {
  const cache = join(CACHE, "chromium");
  const chromium =
    process.env["MULTIPOOLER_CHROMIUM"] ??
    findChromium({ cache, log: (line) => console.log(line) });
  if (chromium !== undefined) {
    process.env["MULTIPOOLER_CHROMIUM"] = chromium;
  }
}

/** Names the files that vitest.config.ts excludes, so that nobody takes them for run. */
function leftOut(): string[] {
  if (process.env["MULTIPOOLER_SKIP_ETCD"] !== "1") {
    return [];
  }
  const files = globSync(ETCD_TESTS, { cwd: root, exclude: ["**/node_modules/**"] });
  if (files.length === 0) {
    return [];
  }
  return [
    `Left out because of MULTIPOOLER_SKIP_ETCD=1: ${files.length} files of tests that need etcd`,
    ...files.map((file) => `  ${file}`),
    "",
  ];
}

import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ClientAddress } from "../test/client-pooler.ts";
import { temporaryDirectory } from "../test/temporary-directory.ts";
import { WHOLE_FILE } from "./comparison.ts";
import type { Outcome } from "./comparison.ts";
import { runNode } from "./node-run.ts";
import { TEST_LIMIT_MS } from "./test-file.ts";

/** Runs a file with the mocha of the clone. One without tests, which others import, has no outcome. */
export async function runMochaFile(options: {
  readonly checkout: string;
  readonly path: string;
  /** Further options of mocha. */
  readonly options: readonly string[];
  readonly address: ClientAddress;
}): Promise<readonly Outcome[]> {
  const { checkout, path, address } = options;
  await using directory = await temporaryDirectory();
  const report = join(directory.path, "report.json");
  const { output, hasSucceeded } = await runNode({
    args: [
      join(checkout, "node_modules/mocha/bin/mocha.js"),
      ...options.options,
      "--exit",
      `--timeout=${TEST_LIMIT_MS}`,
      "--reporter=json",
      `--reporter-option=output=${report}`,
      path,
    ],
    cwd: dirname(dirname(path)),
    env: {},
    address,
  });
  const text = await readFile(report, "utf8").catch(() => "{}");
  const tests = outcomesOf(JSON.parse(text));
  return tests.length > 0 || hasSucceeded
    ? tests
    : [{ test: WHOLE_FILE, hasPassed: false, output }];
}

/** Reads mocha's report. What was skipped is in neither of its lists. */
export function outcomesOf(report: unknown): readonly Outcome[] {
  return [
    ...listOf(report, "passes").map((test) => ({
      test: textOf(test, "fullTitle"),
      hasPassed: true,
      output: "",
    })),
    ...listOf(report, "failures").map((test) => ({
      test: textOf(test, "fullTitle"),
      hasPassed: false,
      output: textOf(fieldOf(test, "err"), "stack"),
    })),
  ];
}

function listOf(value: unknown, name: string): readonly unknown[] {
  const list = fieldOf(value, name);
  return Array.isArray(list) ? list : [];
}

function textOf(value: unknown, name: string): string {
  const text = fieldOf(value, name);
  return typeof text === "string" ? text : "";
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null
    ? Object.entries(value).find(([key]) => key === name)?.[1]
    : undefined;
}

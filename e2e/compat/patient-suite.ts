/**
 * Loaded into the process of a file of tests of the package `pg`, ahead of it. Gives its test runner a
 * limit for a busy machine, and lets it go on behind a test that failed, so that the others are seen.
 */
import { createRequire } from "node:module";
import { join } from "node:path";
import { inspect } from "node:util";
import { TEST_LIMIT_MS } from "./test-file.ts";

const SUITE = "packages/pg/test/suite.js";

interface SuiteTest {
  readonly name: string;
  /** Missing for a test that is skipped. */
  readonly action: unknown;
  run(done: (error?: unknown) => void): void;
}

interface Suite {
  readonly _queue: { drain: () => void };
  run(test: SuiteTest, done: () => void): void;
}

const checkout = process.env["MULTIPOOLER_COMPAT_CHECKOUT"] ?? "";
const suite: unknown = createRequire(import.meta.url)(join(checkout, SUITE));
if (!isSuiteClass(suite)) {
  throw new Error("the test runner of the package pg is not the one that is known");
}
suite.prototype.run = runPatiently;

function runPatiently(this: Suite, test: SuiteTest, done: () => void): void {
  let isFinished = false;
  const finish = (error: unknown): void => {
    clearTimeout(timer);
    if (isFinished) {
      return;
    }
    isFinished = true;
    if (error !== undefined && error !== null) {
      console.log(`  ${test.name} FAILED!\n${inspect(error)}`);
      // A test that has failed may have left something that keeps the process alive.
      this._queue.drain = () => process.exit(1);
    } else {
      console.log(`  ${test.name} ✔`);
    }
    done();
  };
  const timer = setTimeout(
    () => finish(new Error(`it did not end within ${TEST_LIMIT_MS} ms`)),
    TEST_LIMIT_MS,
  );
  // The suite's own listener ends the process.
  process.removeAllListeners("uncaughtException").on("uncaughtException", finish);
  if (typeof test.action === "function") {
    test.run(finish);
  } else {
    finish(undefined);
  }
}

function isSuiteClass(value: unknown): value is { readonly prototype: Suite } {
  return typeof value === "function" && "run" in Object(value.prototype);
}

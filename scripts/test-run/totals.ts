import type { Reporter, TestModule, TestSuite, Vitest } from "vitest/node";

/**
 * Counts what vitest ran. Everything that is no passed test and should have been one is a failure:
 * a file that does not load, a hook that throws, a file that never finished because its worker died,
 * an error that no test caught, and a run without any test.
 */
export class Totals implements Reporter {
  #root = "";
  #passed = 0;
  readonly #failures: string[] = [];
  readonly #skipped: string[] = [];

  /** Remembers the root folder, so that files can be named from there. */
  onInit(vitest: Vitest): void {
    this.#root = vitest.config.root;
  }

  /** Counts a finished run. */
  onTestRunEnd(
    modules: readonly TestModule[],
    unhandled: readonly unknown[],
    reason: "passed" | "interrupted" | "failed",
  ): void {
    for (const module of modules) {
      this.#countModule(module);
    }
    if (unhandled.length > 0) {
      this.#failures.push(...unhandled.map(() => "an unhandled error"));
    }
    if (reason === "interrupted") {
      this.#failures.push("the run was interrupted");
    }
  }

  /** Counts a failure that vitest did not see. */
  fail(what: string): void {
    this.#failures.push(what);
  }

  /** The lines that end a run: what was skipped, what failed, and the totals as the last line. */
  summary(): string[] {
    const failures = this.#passed + this.#failures.length === 0 ? ["no test ran"] : this.#failures;
    return [
      ...list("Skipped", this.#skipped),
      ...list("Failed", failures),
      `${this.#passed} passed, ${failures.length} failed`,
    ];
  }

  /** Whether the run may end with exit code 0. */
  get ok(): boolean {
    return this.#passed > 0 && this.#failures.length === 0;
  }

  #countModule(module: TestModule): void {
    const file = module.moduleId.startsWith(`${this.#root}/`)
      ? module.moduleId.slice(this.#root.length + 1)
      : module.moduleId;
    this.#countErrors(module, file, "the file");
    for (const suite of module.children.allSuites()) {
      this.#countErrors(suite, file, `"${suite.fullName}"`);
    }
    if (module.state() === "pending" || module.state() === "queued") {
      this.#failures.push(`${file}: did not finish`);
    }
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      if (state === "passed") {
        this.#passed += 1;
      }
      if (state === "failed") {
        this.#failures.push(`${file}: ${test.fullName}`);
      }
      if (state === "pending") {
        this.#failures.push(`${file}: ${test.fullName} (did not finish)`);
      }
      if (state === "skipped") {
        this.#skipped.push(`${file}: ${test.fullName}`);
      }
    }
  }

  #countErrors(suite: TestModule | TestSuite, file: string, what: string): void {
    if (suite.errors().length > 0) {
      this.#failures.push(`${file}: ${what} failed outside its tests`);
    }
  }
}

const SHOWN_LINES = 50;

function list(title: string, lines: readonly string[]): string[] {
  if (lines.length === 0) {
    return [];
  }
  const rest = lines.length > SHOWN_LINES ? [`  and ${lines.length - SHOWN_LINES} more`] : [];
  return [`${title}:`, ...lines.slice(0, SHOWN_LINES).map((line) => `  ${line}`), ...rest, ""];
}

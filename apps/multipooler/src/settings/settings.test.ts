import fc from "fast-check";
import { expect, test } from "vitest";
import { ConfigError, resolveConfig } from "./config.ts";
import type { ConfigSources } from "./setting-source.ts";
import { settings } from "./settings.ts";
import type { Setting } from "./setting.ts";

const TABLE = Object.values<Setting<unknown>>(settings);
const NO_FILE = { path: undefined, values: {}, lines: new Map(), problems: [], warning: undefined };

function problemsOf(sources: Partial<ConfigSources>): readonly string[] {
  try {
    resolveConfig({ flags: {}, env: {}, file: NO_FILE, ...sources });
    return [];
  } catch (error) {
    if (error instanceof ConfigError) {
      return error.problems;
    }
    throw error;
  }
}

/** Values that some type of setting refuses. */
const BAD = ["\0", "", "-1", "1e99", "/", "x".repeat(100_000), ",", "::", "zone_1"];
const NAMED_FAULT = /^(?:--[a-z-]+|[A-Z_]+|[a-z-]+ in pooler\.yaml): [^\n]+$/;

test.each(TABLE.map(({ flag }) => flag))("a bad value of --%s is refused with its name", (flag) => {
  const refused = BAD.flatMap((value) => problemsOf({ flags: { [flag]: value } }));
  expect(refused).not.toEqual([]);
  for (const problem of refused) {
    expect(problem.startsWith(`--${flag}: `)).toBe(true);
  }
});

test("to turn off a service that does not exist is refused with the name that was meant", () => {
  expect(problemsOf({ flags: { "service-map": "-grpc-poolr,grpc-new" } })).toEqual([
    '--service-map: "-grpc-poolr,grpc-new" turns off grpc-poolr, which is none of grpc-pooler, ' +
      "grpc-poolermanager, grpc-consensus; did you mean grpc-pooler?",
  ]);
});

test("whatever files, environment and flags hold, each fault is one line with a name", () => {
  const words = fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.constantFrom(...BAD));
  const flags = fc.dictionary(fc.constantFrom(...TABLE.map(({ flag }) => flag)), words);
  const variables = fc.constantFrom(...TABLE.flatMap(({ env }) => env));
  const env = fc.dictionary(fc.oneof(variables, words), words);
  fc.assert(
    fc.property(flags, env, flags, (given, environment, values) => {
      const file = { ...NO_FILE, path: "pooler.yaml", values };
      const problems = problemsOf({ flags: given, env: environment, file });
      expect(problems.filter((problem) => !NAMED_FAULT.test(problem))).toEqual([]);
    }),
  );
});

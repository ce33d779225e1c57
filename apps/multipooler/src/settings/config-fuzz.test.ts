import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import * as yaml from "yaml";
import { ConfigError, readSettingsFile, resolveConfig, withService } from "./config.ts";
import type { Setting } from "./setting.ts";
import { settings } from "./settings.ts";

const directory = mkdtempSync(join(tmpdir(), "multipooler fuzz "));
afterAll(() => rmSync(directory, { recursive: true }));

const FILE = join(directory, "pooler.yaml");
const SERVICES = join(directory, "pg_service.conf");
const TABLE = Object.values<Setting<unknown>>(settings);
const KEYWORDS = TABLE.flatMap(({ libpq }) => libpq?.keyword ?? []);
/** A flag, a variable, a key of the file or of the service, or the file itself; then what is wrong. */
const NAMED_FAULT =
  /^(?:--[a-z-]+|[\w-]+|"[^\n]*"|(?:[\w-]+|"[^\n]*") (?:in|of) [^\n]+|service "[^\n]*" in [^\n]+): [^\n]+$/;

const flagName = fc.constantFrom(...TABLE.map(({ flag }) => flag));
const word = fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.constantFrom("1", "5s", "/"));
const yamlText = fc
  .dictionary(fc.oneof(flagName, fc.string({ unit: "binary" })), fc.jsonValue())
  .map((content) => yaml.stringify(content));
const bytes = fc.uint8Array({ maxLength: 200 }).map((content) => Buffer.from(content));
const fileContent = fc.oneof(yamlText, fc.string({ unit: "binary" }), bytes);
const serviceLine = fc
  .tuple(fc.oneof(fc.constantFrom(...KEYWORDS), word), word)
  .map(([keyword, value]) => `${keyword}=${value}`);
const serviceContent = fc.array(fc.oneof(serviceLine, word)).map((lines) => lines.join("\n"));
const variable = fc.oneof(
  fc.constantFrom(...TABLE.flatMap(({ env }) => env)),
  fc.string({ maxLength: 6, unit: "binary" }).map((tail) => `MULTIPOOLER_CELL${tail}`),
);

/** Whatever goes wrong as the program tells it; any other error is one of ours. */
function problemsOf(env: Readonly<Record<string, string>>): readonly string[] {
  try {
    const file = readSettingsFile({ path: FILE });
    resolveConfig(withService({ flags: {}, env, file }));
    return [];
  } catch (error) {
    if (error instanceof ConfigError) {
      return error.problems;
    }
    throw error;
  }
}

test("whatever is in the files and the environment, a fault is one line with a name", () => {
  fc.assert(
    fc.property(
      fileContent,
      serviceContent,
      fc.dictionary(variable, word),
      (content, service, env) => {
        writeFileSync(FILE, content);
        writeFileSync(SERVICES, `[shop]\n${service}\n`);
        const problems = problemsOf({ ...env, PGSERVICE: "shop", PGSERVICEFILE: SERVICES });
        expect(problems.filter((problem) => !NAMED_FAULT.test(problem))).toEqual([]);
      },
    ),
    { numRuns: 300 },
  );
});

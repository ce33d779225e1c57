import { RuleTester } from "oxlint/plugins-dev";
import { describe, test } from "vitest";

import { constantCase } from "./constant-case.ts";

RuleTester.describe = describe;
RuleTester.it = test;

const tester = new RuleTester({ languageOptions: { parserOptions: { lang: "ts" } } });

const CONSTANTS = [
  "5",
  "-5n",
  "5 * 60_000",
  "2 ** LIMIT_BITS",
  "`text`",
  "`at most ${LIMIT}`",
  "/x+/u",
  "undefined",
  '["a", "b"] as const',
  '["a", ...OTHERS]',
  '["a", "b"].join("")',
  '"deleted".length',
  "{ a: 1, b: { c: [null], d: [] } }",
  "{ a: 1 } satisfies Limits",
  "{ [KEY]: 1 }",
  "{ code: ErrorCode.Refused }",
  "Number.MAX_SAFE_INTEGER",
  'new Set(["a"])',
  'new Map([["a", 1]])',
  'new RegExp("x")',
  'Buffer.from("text")',
  "Object.freeze({ a: 1 })",
  "Object.keys(TABLE)",
];

const OTHERS = [
  "const SCREAMING_2 = 5;",
  "export const Code = { A: 1 } as const;",
  "const add = (a: number): number => a + 1;",
  "const clock: Clock = { now: () => 5, zone: 1 };",
  "const clock: Clock = { now() { return 5; } };",
  "const schema = z.object({});",
  "const encode = Buffer.from;",
  "const key = Symbol.iterator;",
  "const abort = new AbortController();",
  "const opened = [];",
  "const cache = new Map();",
  "const doubled = [1, 2].map((n) => n * 2);",
  "const port = readPort(5432);",
  "const { a, b } = { a: 1, b: 2 };",
  "let count = 0;",
  "function f() { const limit = 5; return limit; }",
];

tester.run("constant-case", constantCase, {
  valid: OTHERS,
  invalid: [
    ...CONSTANTS.map((value) => `const myValue = ${value};`),
    "export const myValue = 5;",
    "const MyValue = 5;",
    'const Code = ["A"] as const;',
    "const My_Value = 5;",
  ].map((code) => ({ code, errors: 1 })),
});

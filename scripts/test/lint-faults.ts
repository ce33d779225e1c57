/** A source that breaks one rule. */
export interface LintFault {
  /** As oxlint writes it: "plugin(rule)". */
  readonly rule: string;
  readonly path: string;
  readonly source: string;
}

const IN_PRODUCT: Readonly<Record<string, string>> = {
  // These need types, so they show that type-aware linting is on.
  "typescript(no-floating-promises)": "export function f(): void {\n  Promise.resolve();\n}",
  "typescript(no-misused-promises)": "export const f = (): void => [1].forEach(async () => {});",
  "typescript(await-thenable)": "export async function f(): Promise<void> {\n  await 1;\n}",
  "typescript(return-await)":
    "export async function f(): Promise<number> {\n  try {\n    return Promise.resolve(1);\n  } catch {\n    return 2;\n  }\n}",
  "typescript(switch-exhaustiveness-check)":
    'export function f(kind: "a" | "b"): number {\n  switch (kind) {\n    case "a":\n      return 1;\n  }\n  return 2;\n}',
  "typescript(no-unsafe-type-assertion)":
    "export const f = (value: unknown): Error => value as Error;",
  "typescript(no-unsafe-member-access)": "export const f = (): unknown => JSON.parse(``).field;",
  "typescript(no-unsafe-assignment)": "export const f: string = JSON.parse(``);",
  "typescript(no-deprecated)":
    "/** @deprecated */\nfunction old(): void {}\nexport const f = (): void => old();",
  "typescript(only-throw-error)": 'export function f(): void {\n  throw "text";\n}',
  "typescript(restrict-template-expressions)": "export const f = (o: object): string => `${o}`;",
  "typescript(unbound-method)":
    "class A {\n  #a = 1;\n  get(): number {\n    return this.#a;\n  }\n}\nexport const f = new A().get;",
  // These need no types.
  "typescript(no-explicit-any)": "export type T = any;",
  "typescript(no-non-null-assertion)": "export const f = (a?: string): string => a!;",
  "typescript(ban-ts-comment)": '// @ts-ignore\nexport const f: number = "";',
  "typescript(consistent-type-imports)":
    'import { Server } from "node:net";\nexport type T = Server;',
  "typescript(no-import-type-side-effects)":
    'import { type Server } from "node:net";\nexport type T = Server;',
  "import(consistent-type-specifier-style)":
    'import { connect, type Server } from "node:net";\nexport const f: (server: Server) => unknown = connect;',
  "typescript(no-require-imports)": 'export const f: unknown = require("node:net");',
  "import(no-default-export)": "export default 1;",
  "import(no-duplicates)":
    'import { a } from "./cycle-a.ts";\nimport { b } from "./cycle-a.ts";\nexport const f: unknown = [a, b];',
  "import(no-mutable-exports)": "export let f = 1;\nf = 2;",
  "unicorn(prefer-node-protocol)": 'export { readFile } from "fs/promises";',
  "unicorn(no-process-exit)": "export const f = (): never => process.exit(1);",
  "node(no-process-env)": 'export const f = process.env["HOME"];',
  "multipooler(constant-case)": "export const waitMs = 5 * 1000;",
  "multipooler(boundaries)": 'export type { MultiPooler } from "@multipooler/poolerserver";',
  "eslint(no-console)": 'export const f = (): void => console.log("text");',
  "eslint(no-warning-comments)": "// TODO: later\nexport const f = 1;",
  "eslint(curly)": "export function f(a: boolean): number {\n  if (a) return 1;\n  return 2;\n}",
  "eslint(eqeqeq)": "export const f = (a: unknown): boolean => a == 1;",
  "eslint(no-empty)":
    "export function f(g: () => void): void {\n  try {\n    g();\n  } catch {}\n}",
  "eslint(no-param-reassign)": "export function f(a: number): number {\n  a = 1;\n  return a;\n}",
  "eslint(no-shadow)": "export const f = (a: number[]): number[] => a.map((a) => a);",
  "eslint(no-unused-vars)": "const a = 1;\nexport const f = 1;",
  "eslint(no-var)": "export var f = 1;",
  "eslint(preserve-caught-error)":
    'export function f(g: () => void): void {\n  try {\n    g();\n  } catch (error) {\n    throw new Error("lost");\n  }\n}',
  "eslint(max-params)":
    "export const f = (a: 1, b: 2, c: 3, d: 4, e: 5): number[] => [a, b, c, d, e];",
  "eslint(max-depth)":
    "export function f(a: boolean): number {\n  if (a) {\n    if (!a) {\n      if (a) {\n        if (!a) {\n          if (a) return 1;\n        }\n      }\n    }\n  }\n  return 2;\n}",
  "eslint(max-lines)": Array.from({ length: 320 }, (_, n) => `export const f${n} = 1;`).join("\n"),
  "eslint(max-lines-per-function)": `export function f(): void {\n${"  f();\n".repeat(90)}}`,
};

const IN_TESTS: Readonly<Record<string, string>> = {
  "vitest(no-focused-tests)": 'test.only("x", () => expect(1).toBe(1));',
  "vitest(no-disabled-tests)": 'test.skip("x", () => expect(1).toBe(1));',
  "vitest(warn-todo)": 'test.todo("x");\ntest("y", () => expect(1).toBe(1));',
  "vitest(expect-expect)": 'test("x", () => {});\nexport { expect };',
  "vitest(no-identical-title)":
    'test("x", () => expect(1).toBe(1));\ntest("x", () => expect(1).toBe(1));',
  "vitest(no-commented-out-tests)": '// test("x", () => {});\ntest("y", () => expect(1).toBe(1));',
  "typescript(no-floating-promises)":
    'test("x", () => {\n  expect(Promise.resolve()).resolves.toBe(1);\n});',
};

const FOLDER = "packages/pgwire/src/planted";

/** One file a rule, each of which a linter with this repository's configuration has to report. */
export const lintFaults: readonly LintFault[] = [
  ...Object.entries(IN_PRODUCT).map(([rule, source]) => fault(rule, ".ts", source)),
  ...Object.entries(IN_TESTS).map(([rule, source]) =>
    fault(rule, ".test.ts", `import { expect, test } from "vitest";\n\n${source}`),
  ),
  {
    rule: "import(no-cycle)",
    path: `${FOLDER}/cycle-a.ts`,
    source: 'export { c } from "./cycle-b.ts";\nexport const a = 1;\nexport const b = 2;\n',
  },
  {
    rule: "import(no-cycle)",
    path: `${FOLDER}/cycle-b.ts`,
    source: 'import { a } from "./cycle-a.ts";\nexport const c = a;\n',
  },
  {
    rule: "unicorn(filename-case)",
    path: `${FOLDER}/CamelCase.ts`,
    source: "export const f = 1;\n",
  },
  {
    rule: "Unused eslint-disable directive",
    path: `${FOLDER}/directive.ts`,
    source: "// eslint-disable-next-line no-var\nexport const f = 1;\n",
  },
  {
    rule: "Unexpected token",
    path: `${FOLDER}/unreadable.ts`,
    source: "export const = ;\n",
  },
  // Every part of the tree is linted with types.
  ...["apps/multipooler/src", "dev/quickstart/test", "e2e/test", "benchmarks/src", "scripts"].map(
    (place) => ({
      rule: "typescript(no-floating-promises)",
      path: `${place}/planted.ts`,
      source: "export function f(): void {\n  Promise.resolve();\n}\n",
    }),
  ),
];

function fault(rule: string, ending: string, source: string): LintFault {
  return {
    rule,
    path: `${FOLDER}/${rule.replaceAll(/[()]/g, "-")}x${ending}`,
    source: `${source}\n`,
  };
}

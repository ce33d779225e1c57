import { expect, test } from "vitest";

import { moduleRequests } from "./module-requests.ts";

const FORMS: Readonly<Record<string, string>> = {
  'import a from "m";': "import m",
  'import { a } from "m";': "import m",
  'import * as a from "m";': "import m",
  'import "m";': "import m",
  'import type { A } from "m";': "type m",
  'import { type A } from "m";': "import m",
  'import json from "m" with { type: "json" };': "import m",
  'export { a } from "m";': "import m",
  'export type { A } from "m";': "type m",
  'export * from "m";': "star-export m",
  'export type * from "m";': "star-export m",
  'export * as a from "m";': "import m",
  'await import("m");': "import m",
  "await import(`m`);": "import m",
  'await import("m" + suffix);': "computed ",
  "await import(`m${suffix}`);": "computed ",
  'require("m");': "import m",
  'require.resolve("m");': "import m",
  'import.meta.resolve("m");': "import m",
  'import a = require("m");': "import m",
  'let a: import("m").A;': "type m",
  'let a: typeof import("m");': "type m",
  'declare module "m" {}': "type m",
  'vi.mock("m");': "import m",
  'new Worker(new URL("./m.ts", import.meta.url));': "import ./m.ts",
  'new URL("m.js", import.meta.url);': "import ./m.js",
};

test.each(Object.entries(FORMS))("finds the module in %s", (source, expected) => {
  const parsed = moduleRequests("m.ts", `\n${source}\n`);
  expect(parsed).toMatchObject({ ok: true });
  const found = parsed.ok ? parsed.requests : [];
  expect(found.map(({ form, specifier, line }) => [`${form} ${specifier}`, line])).toEqual([
    [expected, 2],
  ]);
});

const SILENT = [
  'const text = "import a from \\"m\\"";',
  '// import a from "m";',
  'load("m");',
  'new URL("../data.json", import.meta.url);',
  'new URL("m.js", base);',
  "export const a = 1;",
];

test.each(SILENT)("finds no module in %s", (source) => {
  expect(moduleRequests("m.ts", source)).toEqual({ ok: true, requests: [] });
});

test("says where a source does not parse", () => {
  expect(moduleRequests("m.ts", "\n\nconst = 1;")).toMatchObject({ ok: false, line: 3 });
});

test("orders the modules by line", () => {
  const parsed = moduleRequests(
    "m.ts",
    'const a = require("a");\nimport "b";\nexport { c } from "c";',
  );
  expect(parsed).toMatchObject({
    requests: [{ specifier: "a" }, { specifier: "b" }, { specifier: "c" }],
  });
});

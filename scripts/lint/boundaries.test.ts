import { RuleTester } from "oxlint/plugins-dev";
import { describe, test } from "vitest";

import type { Dependency, WorkspacePackage } from "../gates/workspace.ts";
import { boundariesIn } from "./boundaries.ts";
import { BOUNDARIES } from "./boundary-table.ts";

RuleTester.describe = describe;
RuleTester.it = test;

const ROOT = "/repository";

/** The packages that the tests import from and into, with what each package.json declares. */
const packages: readonly WorkspacePackage[] = [
  described(".", { devDependencies: ["vitest"] }),
  described("packages/controller-api", {}),
  described("packages/pgwire", {
    devDependencies: ["@multipooler/test-postgres", "left-pad", "vitest"],
  }),
  described("packages/poolerserver", {
    dependencies: ["@multipooler/controller-api", "@multipooler/pgwire"],
  }),
  described("packages/manager", { dependencies: ["@multipooler/controller-api", "pg"] }),
  described("packages/topo", { peerDependencies: ["vitest"] }, [".", "./testing", "./gen/*"]),
  described("packages/grpc-services", {
    dependencies: ["@grpc/grpc-js", "@multipooler/manager", "@multipooler/topo"],
  }),
  {
    ...described("apps/multipooler", { dependencies: ["@multipooler/poolerserver"] }),
    exportKeys: undefined,
  },
  described("dev/test-postgres", {}),
  described("e2e", { devDependencies: ["@multipooler/grpc-services", "@multipooler/topo"] }),
];

function described(
  folder: string,
  names: Partial<Record<Dependency["field"], readonly string[]>>,
  exportKeys: readonly string[] = ["."],
): WorkspacePackage {
  const fields = ["dependencies", "devDependencies", "peerDependencies"] as const;
  const dependencies = fields.flatMap((field) =>
    (names[field] ?? []).map((name) => ({ field, name, range: "catalog:" })),
  );
  const name = `@multipooler/${folder.split("/").at(-1)}`;
  return { folder, name, version: "0.0.0", public: true, exportKeys, dependencies };
}

type Fault = readonly [title: string, file: string, code: string, line: number, message: RegExp];

const POOLERSERVER = /^packages\/[\w-]+ may not import packages\/poolerserver; of this repository/;

const FAULTS: readonly Fault[] = [
  [
    "a package that the table forbids",
    "packages/manager/src/bad.ts",
    'import "@multipooler/controller-api";\nimport { pooler } from "@multipooler/poolerserver";',
    2,
    /^packages\/manager may not import packages\/poolerserver; of this repository it may import packages\/controller-api, packages\/query-service, packages\/timing, packages\/tls, packages\/topo$/,
  ],
  [
    "a type of a forbidden package",
    "packages/manager/src/bad.ts",
    'import type { Pooler } from "@multipooler/poolerserver";',
    1,
    POOLERSERVER,
  ],
  [
    "a forbidden package in a test",
    "packages/manager/src/bad.test.ts",
    'import "@multipooler/poolerserver";',
    1,
    POOLERSERVER,
  ],
  [
    "a package for tests only, in product code",
    "packages/grpc-services/src/bad.ts",
    'import "@multipooler/topo";',
    1,
    /^packages\/grpc-services may not import packages\/topo; of this repository/,
  ],
  [
    "import() of a forbidden package",
    "packages/grpc-services/src/bad.ts",
    'export const load = () => import("@multipooler/poolerserver");',
    1,
    POOLERSERVER,
  ],
  [
    "import() of a template",
    "packages/grpc-services/src/bad.ts",
    "await import(`@multipooler/poolerserver`);",
    1,
    POOLERSERVER,
  ],
  [
    "a type that is named where it is used",
    "packages/controller-api/src/bad.ts",
    '\nexport type Wire = import("@multipooler/pgwire").Wire;',
    2,
    /^packages\/controller-api may not import packages\/pgwire; /,
  ],
  [
    "a re-export of a forbidden package",
    "packages/pgwire/src/bad.ts",
    'export { PoolerController } from "@multipooler/controller-api";',
    1,
    /^packages\/pgwire may not import packages\/controller-api; /,
  ],
  [
    "a package in a script of the root",
    "scripts/bad.ts",
    'import "@multipooler/pgwire";',
    1,
    /^\. may not import packages\/pgwire; of this repository it may import nothing$/,
  ],
  [
    "an app in a package",
    "packages/manager/src/bad.ts",
    'import "@multipooler/multipooler";',
    1,
    /^packages\/manager imports the app apps\/multipooler; apps compose/,
  ],
  [
    "a file inside another package",
    "packages/poolerserver/src/bad.ts",
    'import "@multipooler/pgwire/src/codec.ts";',
    1,
    /^"@multipooler\/pgwire" does not export ".\/src\/codec\.ts"; it exports \.$/,
  ],
  [
    "more than the public surface in an end-to-end test",
    "e2e/test/bad.test.ts",
    'import "@multipooler/grpc-services/dist/index.js";',
    1,
    /does not export "\.\/dist\/index\.js"/,
  ],
  [
    "a file inside a program, which exports nothing",
    "e2e/test/bad.test.ts",
    'import "@multipooler/multipooler/dist/main.js";',
    1,
    /does not export "\.\/dist\/main\.js"; it exports \.\/package\.json$/,
  ],
  [
    "a pattern that the exports offer with nothing in its place",
    "e2e/test/bad.test.ts",
    'import "@multipooler/topo/gen/";',
    1,
    /does not export "\.\/gen\/"/,
  ],
  [
    "a relative path into another package",
    "packages/poolerserver/src/bad.ts",
    'import "../../pgwire/src/codec.ts";',
    1,
    /^"\.\.\/\.\.\/pgwire\/src\/codec\.ts" leaves packages\/poolerserver; /,
  ],
  [
    "a worker of another package",
    "packages/poolerserver/src/bad.ts",
    'new Worker(new URL("../../pgwire/src/codec.ts", import.meta.url));',
    1,
    /leaves packages\/poolerserver/,
  ],
  [
    "an absolute path",
    "e2e/test/bad.test.ts",
    'await import("/srv/elsewhere.js");',
    1,
    /^"\/srv\/elsewhere\.js" leaves e2e/,
  ],
  [
    "a path out of the repository",
    "scripts/bad.ts",
    'import "../../elsewhere.js";',
    1,
    /^"\.\.\/\.\.\/elsewhere\.js" leaves \./,
  ],
  [
    "a module that the package.json does not list",
    "packages/manager/src/bad.ts",
    'import "left-pad";',
    1,
    /^"left-pad" is not in the package\.json of packages\/manager$/,
  ],
  [
    "require() of a module that the package.json does not list",
    "packages/manager/src/bad.ts",
    'require("left-pad/lib");',
    1,
    /^"left-pad" is not in/,
  ],
  [
    "an allowed package that the package.json does not list",
    "packages/grpc-services/src/bad.ts",
    'import "@multipooler/controller-api";',
    1,
    /^"@multipooler\/controller-api" is not in the package\.json of packages\/grpc-services$/,
  ],
  [
    "a devDependency in product code",
    "packages/pgwire/src/bad.ts",
    'import "left-pad";',
    1,
    /^product code imports "left-pad", which packages\/pgwire has only among its devDependencies$/,
  ],
  [
    "a package of ours that does not exist",
    "e2e/test/bad.test.ts",
    'import "@multipooler/nowhere";',
    1,
    /^no package here is called "@multipooler\/nowhere"$/,
  ],
  [
    "vitest in product code",
    "packages/pgwire/src/bad.ts",
    'import { test } from "vitest";',
    1,
    /^product code imports "vitest", which is for tests$/,
  ],
  [
    "the embedded PostgreSQL in product code",
    "packages/pgwire/src/bad.ts",
    'import "@multipooler/test-postgres";',
    1,
    /^product code imports "@multipooler\/test-postgres", which is for tests$/,
  ],
  [
    "a test file in product code",
    "packages/pgwire/src/bad.ts",
    'import "../test/codec.pg.test.ts";',
    1,
    /^product code imports "\.\.\/test\/codec\.pg\.test\.ts", which is no product code$/,
  ],
  ...["@grpc/grpc-js", "commander", "pino", "zod"].map((name): Fault => [
    `${name} outside its place`,
    "packages/manager/src/bad.ts",
    `import type { Type } from "${name}";`,
    1,
    new RegExp(`^"${name}" may be imported only in `),
  ]),
  [
    "grpc-js in a handler",
    "packages/grpc-services/src/query/handler.ts",
    'import "@grpc/grpc-js";',
    1,
    /^"@grpc\/grpc-js" may be imported only in /,
  ],
  [
    "pg outside the manager",
    "packages/poolerserver/src/bad.ts",
    'import pg from "pg";',
    1,
    /^"pg" may be imported only in packages\/manager\/src\/\*\*$/,
  ],
  [
    "an index that lists nothing by hand",
    "packages/pgwire/src/bad.ts",
    '// index\nexport * from "./codec.ts";',
    2,
    /^"export \* from \.\/codec\.ts" hides what is public; list each name$/,
  ],
  [
    "an import() that nobody can check",
    "packages/pgwire/src/bad.ts",
    'export const load = (name: string) => import("left-" + name);',
    1,
    /^an import\(\) of a computed name cannot be checked/,
  ],
  // Every other way to name a module.
  ...[
    'export type { A } from "nowhere";',
    'export * as a from "nowhere";',
    'import json from "nowhere" with { type: "json" };',
    'import a = require("nowhere");',
    'require.resolve("nowhere");',
    'import.meta.resolve("nowhere");',
    'declare module "nowhere" {}',
    'let a: typeof import("nowhere");',
    'vi.mock("nowhere");',
    'vi.importActual("nowhere");',
  ].map((code): Fault => [
    code,
    "packages/manager/src/bad.test.ts",
    code,
    1,
    /^"nowhere" is not in the package\.json of packages\/manager$/,
  ]),
];

const SOUND: readonly (readonly [title: string, file: string, code: string])[] = [
  ["an allowed package", "packages/poolerserver/src/a.ts", 'import "@multipooler/pgwire";'],
  ["a package itself", "packages/topo/test/a.test.ts", 'import "@multipooler/topo/testing";'],
  ["what a pattern offers", "e2e/test/a.test.ts", 'import "@multipooler/topo/gen/query";'],
  ["builtin modules", "packages/pgwire/src/a.ts", 'import "node:fs";\nimport "fs/promises";'],
  ["files of the package", "packages/pgwire/src/a/b.ts", 'import "../c.ts";'],
  ["vitest in a test", "packages/pgwire/src/a.test.ts", 'import "vitest";'],
  ["test files in a test", "packages/pgwire/src/a.test.ts", 'import "../test/server.ts";'],
  ["vitest in support of tests", "packages/topo/src/testing/a.ts", 'import "vitest";'],
  [
    "a package for tests only, in a test",
    "packages/grpc-services/test/a.test.ts",
    'import "@multipooler/topo";',
  ],
  ["pg in the manager", "packages/manager/src/a.ts", 'import "pg";'],
  [
    "grpc-js in the client's channel",
    "packages/grpc-services/src/client/client-channel.ts",
    'import "@grpc/grpc-js";',
  ],
  ["a computed import() in a test", "packages/pgwire/test/a.ts", "await import(path);"],
  ["files of the root", "vitest.config.ts", 'import "./scripts/a.ts";\nimport "vitest/config";'],
  ["data beside the code", "packages/pgwire/src/a.ts", 'new URL("../a.json", import.meta.url);'],
  ["what lies deeper than a pattern", "e2e/test/a.test.ts", 'import "@multipooler/topo/gen/a/b";'],
  ["an address", "packages/pgwire/src/a.ts", 'new URL("m.js", base);'],
  ["text and comments", "packages/pgwire/src/a.ts", '// import "x";\nf("import \\"x\\"");'],
];

const tester = new RuleTester({
  languageOptions: { sourceType: "module", parserOptions: { lang: "ts" } },
});

tester.run("boundaries", boundariesIn({ root: ROOT, packages, table: BOUNDARIES }), {
  valid: SOUND.map(([name, file, code]) => ({ name, filename: `${ROOT}/${file}`, code })),
  invalid: FAULTS.map(([name, file, code, line, message]) => ({
    name,
    filename: `${ROOT}/${file}`,
    code,
    errors: [{ line, message }],
  })),
});

import { fileURLToPath } from "node:url";

import { describe, expect, test } from "vitest";

import { checkBoundaries } from "../src/check-boundaries.ts";
import { table } from "../src/table.ts";
import { formatViolation } from "../src/violation.ts";
import type { Rule } from "../src/violation.ts";
import { manifest, plant } from "./fixture-tree.ts";
import type { Files } from "./fixture-tree.ts";

interface Fault {
  readonly title: string;
  readonly files: Files;
  /** Where it is reported, as `file:line`. */
  readonly at: string;
}

const faults: Readonly<Record<Rule, readonly Fault[]>> = {
  "forbidden-import": [
    {
      title: "manager imports poolerserver",
      files: {
        "packages/manager/src/bad.ts":
          'import "@multipooler/controller-api";\nimport { pooler } from "@multipooler/poolerserver";\n',
      },
      at: "packages/manager/src/bad.ts:2",
    },
    {
      title: "manager imports a type of poolerserver",
      files: {
        "packages/manager/src/bad.ts": 'import type { pooler } from "@multipooler/poolerserver";\n',
      },
      at: "packages/manager/src/bad.ts:1",
    },
    {
      title: "manager imports poolerserver in a test",
      files: { "packages/manager/src/bad.test.ts": 'import "@multipooler/poolerserver";\n' },
      at: "packages/manager/src/bad.test.ts:1",
    },
    {
      title: "a transport imports poolerserver with import()",
      files: {
        "packages/grpc-services/src/bad.ts":
          'export const load = () => import("@multipooler/poolerserver");\n',
      },
      at: "packages/grpc-services/src/bad.ts:1",
    },
    {
      title: "controller-api names a type of pgwire",
      files: {
        "packages/controller-api/src/bad.ts":
          '\nexport type Wire = import("@multipooler/pgwire").Wire;\n',
      },
      at: "packages/controller-api/src/bad.ts:2",
    },
    {
      title: "pgwire re-exports controller-api",
      files: {
        "packages/pgwire/src/bad.ts":
          'export { PoolerController } from "@multipooler/controller-api";\n',
      },
      at: "packages/pgwire/src/bad.ts:1",
    },
    {
      title: "manager depends on poolerserver without importing it",
      files: {
        "packages/manager/package.json": manifest({
          name: "@multipooler/manager",
          dependencies: { pg: "catalog:", "@multipooler/poolerserver": "workspace:^" },
        }),
      },
      at: "packages/manager/package.json:8",
    },
    {
      title: "a root script imports a package",
      files: { "scripts/bad.ts": 'import "@multipooler/pgwire";\n' },
      at: "scripts/bad.ts:1",
    },
  ],
  "app-import": [
    {
      title: "a package imports an app",
      files: { "packages/manager/src/bad.ts": 'import "@multipooler/multipooler";\n' },
      at: "packages/manager/src/bad.ts:1",
    },
  ],
  "deep-import": [
    {
      title: "poolerserver reaches into pgwire",
      files: { "packages/poolerserver/src/bad.ts": 'import "@multipooler/pgwire/src/codec.ts";\n' },
      at: "packages/poolerserver/src/bad.ts:1",
    },
    {
      title: "an end-to-end test uses more than the public surface",
      files: { "e2e/test/bad.test.ts": 'import "@multipooler/grpc-services/dist/index.js";\n' },
      at: "e2e/test/bad.test.ts:1",
    },
  ],
  "relative-escape": [
    {
      title: "a relative import into another package",
      files: { "packages/poolerserver/src/bad.ts": 'import "../../pgwire/src/codec.ts";\n' },
      at: "packages/poolerserver/src/bad.ts:1",
    },
    {
      title: "a worker of another package",
      files: {
        "packages/poolerserver/src/bad.ts":
          'export const worker = new URL("../../pgwire/src/codec.ts", import.meta.url);\n',
      },
      at: "packages/poolerserver/src/bad.ts:1",
    },
    {
      title: "an absolute path",
      files: { "e2e/test/bad.test.ts": 'await import("/srv/elsewhere.js");\n' },
      at: "e2e/test/bad.test.ts:1",
    },
  ],
  "undeclared-import": [
    {
      title: "a third-party module that the package.json does not list",
      files: { "packages/pgwire/src/bad.ts": 'import "left-pad";\n' },
      at: "packages/pgwire/src/bad.ts:1",
    },
    {
      title: "require() of a module that the package.json does not list",
      files: {
        "packages/pgwire/src/bad.ts":
          'declare const require: (id: string) => unknown;\nrequire("left-pad/lib");\n',
      },
      at: "packages/pgwire/src/bad.ts:2",
    },
    {
      title: "product code that imports a devDependency",
      files: {
        "packages/pgwire/package.json": manifest({
          name: "@multipooler/pgwire",
          devDependencies: {
            "left-pad": "catalog:",
            "@multipooler/embedded-postgres": "workspace:^",
            vitest: "catalog:",
          },
        }),
        "packages/pgwire/src/bad.ts": 'import "left-pad";\n',
      },
      at: "packages/pgwire/src/bad.ts:1",
    },
    {
      title: "an allowed package that the package.json does not list",
      files: { "packages/grpc-services/src/bad.ts": 'import "@multipooler/controller-api";\n' },
      at: "packages/grpc-services/src/bad.ts:1",
    },
    {
      title: "a package of ours that does not exist",
      files: { "e2e/test/bad.test.ts": 'import "@multipooler/nowhere";\n' },
      at: "e2e/test/bad.test.ts:1",
    },
  ],
  "no-dependency": [
    {
      title: "controller-api depends on something",
      files: {
        "packages/controller-api/package.json": manifest({
          name: "@multipooler/controller-api",
          peerDependencies: { "left-pad": "^1.0.0" },
        }),
      },
      at: "packages/controller-api/package.json:7",
    },
  ],
  "test-only": [
    {
      title: "product code imports vitest",
      files: { "packages/pgwire/src/bad.ts": 'import { test } from "vitest";\n' },
      at: "packages/pgwire/src/bad.ts:1",
    },
    {
      title: "product code imports the embedded PostgreSQL",
      files: { "packages/pgwire/src/bad.ts": 'import "@multipooler/embedded-postgres";\n' },
      at: "packages/pgwire/src/bad.ts:1",
    },
    {
      title: "product code imports a test file",
      files: { "packages/pgwire/src/bad.ts": 'import "../test/codec.pg.test.ts";\n' },
      at: "packages/pgwire/src/bad.ts:1",
    },
  ],
  "confined-module": [
    {
      title: "grpc-js outside the transport",
      files: {
        "packages/manager/package.json": manifest({
          name: "@multipooler/manager",
          dependencies: { "@grpc/grpc-js": "catalog:", pg: "catalog:" },
        }),
        "packages/manager/src/bad.ts": 'import type { ServerCredentials } from "@grpc/grpc-js";\n',
      },
      at: "packages/manager/src/bad.ts:1",
    },
    {
      title: "pg outside the manager",
      files: {
        "packages/poolerserver/package.json": manifest({
          name: "@multipooler/poolerserver",
          dependencies: {
            pg: "catalog:",
            "@multipooler/controller-api": "workspace:^",
            "@multipooler/pgwire": "workspace:^",
          },
        }),
        "packages/poolerserver/src/bad.ts": 'import pg from "pg";\n',
      },
      at: "packages/poolerserver/src/bad.ts:1",
    },
  ],
  "star-export": [
    {
      title: "an index that lists nothing by hand",
      files: { "packages/pgwire/src/bad.ts": '// index\nexport * from "./codec.ts";\n' },
      at: "packages/pgwire/src/bad.ts:2",
    },
  ],
  "computed-import": [
    {
      title: "an import() that nobody can check",
      files: {
        "packages/pgwire/src/bad.ts":
          'export const load = (name: string) => import("left-" + name);\n',
      },
      at: "packages/pgwire/src/bad.ts:1",
    },
  ],
  manifest: [
    {
      title: "a package whose name is not its folder",
      files: {
        "packages/manager/package.json": manifest({
          name: "@multipooler/boss",
          dependencies: { pg: "catalog:" },
        }),
      },
      at: "packages/manager/package.json:1",
    },
    {
      title: "a third-party version outside the catalog",
      files: {
        "packages/manager/package.json": manifest({
          name: "@multipooler/manager",
          dependencies: { pg: "^8.0.0" },
        }),
      },
      at: "packages/manager/package.json:7",
    },
    {
      title: "an internal version that is not of the workspace",
      files: {
        "apps/multipooler/package.json": manifest({
          name: "@multipooler/multipooler",
          dependencies: { "@multipooler/poolerserver": "0.0.0" },
        }),
      },
      at: "apps/multipooler/package.json:7",
    },
  ],
  "unlisted-package": [
    {
      title: "a package that the table does not know",
      files: { "packages/extra/package.json": manifest({ name: "@multipooler/extra" }) },
      at: "packages/extra/package.json:1",
    },
  ],
  "unreadable-source": [
    {
      title: "a source that does not parse",
      files: { "packages/pgwire/src/bad.ts": "\nexport const = ;\n" },
      at: "packages/pgwire/src/bad.ts:2",
    },
  ],
};

test("the sound fixture tree breaks no rule", () => {
  using tree = plant({});
  const report = checkBoundaries(tree.root, table);
  expect(report.violations).toEqual([]);
  expect(report).toMatchObject({ packages: 9 });
});

test("this repository breaks no rule", () => {
  const root = fileURLToPath(new URL("../../..", import.meta.url));
  const report = checkBoundaries(root, table);
  expect(report.violations.map(formatViolation)).toEqual([]);
  expect(report.imports).toBeGreaterThan(50);
});

describe.each(Object.entries(faults))("%s", (rule, cases) => {
  test.each(cases)("reports: $title", ({ files, at }) => {
    using tree = plant(files);
    const found = checkBoundaries(tree.root, table).violations;
    expect(found.map((each) => `${each.file}:${each.line} ${each.rule}`)).toContain(
      `${at} ${rule}`,
    );
  });
});

test("a fault breaks only the rules it should", () => {
  using tree = plant({
    "packages/manager/src/bad.ts": 'import "@multipooler/poolerserver";\n',
  });
  const found = checkBoundaries(tree.root, table).violations;
  expect(found.map(({ rule }) => rule)).toEqual(["forbidden-import", "undeclared-import"]);
  expect(found.map(formatViolation)[0]).toBe(
    "packages/manager/src/bad.ts:1: packages/manager may not import packages/poolerserver; " +
      "of this repository it may import packages/controller-api, packages/topo [forbidden-import]",
  );
});

test("a test support file may import what tests import", () => {
  using tree = plant({
    "packages/topo/package.json": manifest({
      name: "@multipooler/topo",
      exports: { ".": "./dist/index.js", "./testing": "./dist/testing/index.js" },
      peerDependencies: { vitest: "^5.0.0" },
    }),
    "packages/topo/src/testing/index.ts": 'import { test } from "vitest";\nexport { test };\n',
  });
  expect(checkBoundaries(tree.root, table).violations).toEqual([]);
});

test("generated code may export everything, but not import everything", () => {
  using tree = plant({
    "packages/proto/package.json": manifest({ name: "@multipooler/proto" }),
    "packages/proto/src/gen/all.ts":
      'export * from "./one.ts";\nexport * from "@multipooler/topo";\n',
  });
  const found = checkBoundaries(tree.root, table).violations;
  expect(found.map(({ rule, line }) => `${line} ${rule}`)).toEqual([
    "2 undeclared-import",
    "2 undeclared-import",
  ]);
});

test("folders that no one wrote are not read", () => {
  using tree = plant({
    "packages/pgwire/dist/bad.js": 'import "left-pad";\n',
    "packages/pgwire/node_modules/left-pad/index.js": 'import "right-pad";\n',
    "packages/pgwire/.cache/bad.js": 'import "left-pad";\n',
  });
  expect(checkBoundaries(tree.root, table).violations).toEqual([]);
});

import { expect, test } from "vitest";

import { BOUNDARIES } from "../lint/boundary-table.ts";
import { manifestFaults } from "./manifest-rules.ts";
import type { Dependency, WorkspacePackage } from "./workspace.ts";

function described(folder: string, dependencies: readonly Dependency[] = []): WorkspacePackage {
  const name = `@multipooler/${folder.split("/").at(-1)}`;
  return { folder, name, version: "0.0.0", public: true, exportKeys: ["."], dependencies };
}

const others = [
  "packages/controller-api",
  "packages/poolerserver",
  "packages/query-service",
  "apps/multipooler",
  "dev/test-postgres",
].map((folder) => described(folder));

function messages(folder: string, entry: Dependency): readonly string[] {
  const subject = described(folder, [entry]);
  return manifestFaults(subject, [...others, subject], BOUNDARIES).map(({ message }) => message);
}

const WORKSPACE = "workspace:^";

test.each<[string, Dependency, string]>([
  [
    "packages/manager",
    { field: "dependencies", name: "@multipooler/poolerserver", range: WORKSPACE },
    "dependencies: packages/manager may not depend on packages/poolerserver",
  ],
  [
    "packages/manager",
    { field: "devDependencies", name: "@multipooler/multipooler", range: WORKSPACE },
    "devDependencies: packages/manager may not depend on apps/multipooler",
  ],
  [
    "packages/manager",
    { field: "dependencies", name: "@multipooler/test-postgres", range: WORKSPACE },
    "dependencies: packages/manager may not depend on dev/test-postgres",
  ],
  [
    "packages/grpc-services",
    { field: "dependencies", name: "@multipooler/poolerserver", range: WORKSPACE },
    "dependencies: packages/grpc-services may not depend on packages/poolerserver",
  ],
  [
    "packages/manager",
    { field: "dependencies", name: "@multipooler/controller-api", range: "0.0.0" },
    'dependencies: "@multipooler/controller-api" is "0.0.0" and should be "workspace:^"',
  ],
  [
    "packages/manager",
    { field: "peerDependencies", name: "@multipooler/controller-api", range: "^0.0.0" },
    'peerDependencies: "@multipooler/controller-api" is "^0.0.0" and should be "workspace:^"',
  ],
  [
    "packages/manager",
    { field: "optionalDependencies", name: "pg", range: "^8.0.0" },
    'optionalDependencies: "pg" is "^8.0.0" and should be "catalog:"',
  ],
  [
    ".",
    { field: "devDependencies", name: "knip", range: "6.0.0" },
    'devDependencies: "knip" is "6.0.0" and should be "catalog:"',
  ],
  [
    "packages/query-service",
    { field: "peerDependencies", name: "left-pad", range: "^1.0.0" },
    'peerDependencies: "left-pad"; packages/query-service has no dependency at all',
  ],
  [
    "packages/extra",
    { field: "dependencies", name: "pg", range: "catalog:" },
    "packages/extra is not in the table of scripts/lint/boundary-table.ts",
  ],
])("in %s: %o", (folder, entry, expected) => {
  expect(messages(folder, entry)).toEqual([expected]);
});

test.each<[string, Dependency]>([
  ["packages/manager", { field: "dependencies", name: "pg", range: "catalog:" }],
  ["packages/manager", { field: "peerDependencies", name: "vitest", range: "^5.0.0" }],
  [
    "packages/manager",
    { field: "dependencies", name: "@multipooler/controller-api", range: WORKSPACE },
  ],
  [
    "packages/manager",
    { field: "devDependencies", name: "@multipooler/test-postgres", range: WORKSPACE },
  ],
  [
    "packages/grpc-services",
    { field: "devDependencies", name: "@multipooler/poolerserver", range: WORKSPACE },
  ],
  [
    "dev/quickstart",
    { field: "dependencies", name: "@multipooler/test-postgres", range: WORKSPACE },
  ],
  ["benchmarks", { field: "dependencies", name: "@multipooler/poolerserver", range: WORKSPACE }],
  ["packages/query-service", { field: "devDependencies", name: "vitest", range: "catalog:" }],
])("allowed in %s: %o", (folder, entry) => {
  expect(messages(folder, entry)).toEqual([]);
});

test("a package has the name of its folder", () => {
  const subject = { ...described("packages/manager"), name: "@multipooler/boss" };
  expect(manifestFaults(subject, [subject], BOUNDARIES)).toEqual([
    {
      message:
        'the package in packages/manager is called "@multipooler/boss", not "@multipooler/manager"',
    },
  ]);
});

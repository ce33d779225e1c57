import { globSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename } from "node:path";

import { configDefaults, defineConfig } from "vitest/config";
import type { TestProjectInlineConfiguration, ViteUserConfig } from "vitest/config";

/** One project a package, called like the package. Options below are everybody's. */
const packages = globSync(["packages/*", "apps/*", "dev/*", "benchmarks"]).toSorted();
const projects: TestProjectInlineConfiguration[] = [
  { root: "scripts", test: { name: "scripts" } },
  ...packages.map((root) => ({ root, test: { name: `@multipooler/${basename(root)}` } })),
  // Last and one at a time: these tests measure memory and restart servers.
  {
    root: "e2e",
    test: { name: "@multipooler/e2e", maxWorkers: 1, sequence: { groupOrder: 1 } },
  },
];

const config: ViteUserConfig = defineConfig({
  test: {
    projects: projects.map((project) => Object.assign(project, { extends: true })),
    exclude: [
      ...configDefaults.exclude,
      "**/dist/**",
      ...(process.env["MULTIPOOLER_SKIP_ETCD"] === "1" ? ["**/*.etcd.test.ts"] : []),
    ],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
    maxWorkers: Math.min(4, availableParallelism()),
    // No retries: a test that fails sometimes is a defect.
    retry: 0,
    allowOnly: false,
    experimental: { diagnostics: false },
  },
});

export default config;

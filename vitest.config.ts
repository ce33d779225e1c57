import { availableParallelism } from "node:os";

import { configDefaults, defineConfig } from "vitest/config";
import type { TestProjectInlineConfiguration, ViteUserConfig } from "vitest/config";

import { workspacePackages } from "./scripts/gates/workspace.ts";

/** They measure memory, latencies or gaps, and have the machine to themselves. */
const MEASURING = [
  "client-flood",
  "copy",
  "drain-load",
  "first-query",
  "idle-clients",
  "large-statements",
  "leaks/leaks",
  "leaving-latency",
  "open-files",
  "pending-cancels",
  "result-shapes",
  "slow-reader",
  "switchover",
  "trickling-readers",
  "waiting-statements",
].map((name) => `test/${name}.pg.test.ts`);

/** One project a package, called like the package; e2e is two. Options below are everybody's. */
const packages = workspacePackages(import.meta.dirname).filter(({ folder }) => folder !== "e2e");
const projects: TestProjectInlineConfiguration[] = [
  { root: "scripts", test: { name: "scripts" } },
  ...packages.map(({ folder, name }) => ({ root: folder, test: { name } })),
  // After the others, which leave little of the machine, and two at a time: each waits for programs and
  // servers of its own for most of its time.
  {
    root: "e2e",
    test: {
      name: "@multipooler/e2e",
      exclude: MEASURING,
      maxWorkers: 2,
      sequence: { groupOrder: 1 },
    },
  },
  {
    root: "e2e",
    test: {
      name: "@multipooler/e2e-measuring",
      include: MEASURING,
      maxWorkers: 1,
      sequence: { groupOrder: 2 },
    },
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
    // One more than there are cores: tests of servers wait more than they work.
    maxWorkers: Math.min(4, availableParallelism() + 1),
    // No retries: a test that fails sometimes is a defect.
    retry: 0,
    allowOnly: false,
    experimental: { diagnostics: false },
  },
});

export default config;

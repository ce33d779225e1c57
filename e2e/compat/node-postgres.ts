import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { join, relative } from "node:path";
import type { ClientAddress } from "../test/client-pooler.ts";
import { runMochaFile } from "./mocha-file.ts";
import { runSuiteFile } from "./suite-file.ts";
import type { TestFile } from "./test-file.ts";

/** Packages whose tests mocha runs, with the files. */
const MOCHA_PACKAGES = [
  { folder: "pg-cursor", pattern: "test/*.js", options: [] },
  { folder: "pg-pool", pattern: "test/*.js", options: [] },
  { folder: "pg-query-stream", pattern: "test/*.ts", options: ["--require", "ts-node/register"] },
] as const;
const NATIVE_PACKAGE = { folder: "pg-native", pattern: "test/*.js", options: [] } as const;
/** Built by the install of the clone, where a compiler and libpq's headers are. */
const NATIVE_ADDON = "node_modules/libpq/build/Release/addon.node";

/** All files of tests that connect to a server; those of the native client where this Node loads it. */
export function nodePostgresFiles(checkout: string): readonly TestFile[] {
  const hasNative = isLoadable(join(checkout, NATIVE_ADDON));
  if (!hasNative) {
    console.log(
      `${NATIVE_ADDON} is not built for Node ${process.version}: the native client is left out`,
    );
  }
  const packages = join(checkout, "packages");
  const suiteFiles = filesOf(join(packages, "pg"), "test/integration/**/*-tests.js");
  const modes = hasNative ? [[], ["native"]] : [[]];
  const mochaPackages = hasNative ? [...MOCHA_PACKAGES, NATIVE_PACKAGE] : MOCHA_PACKAGES;
  return [
    ...modes.flatMap((args) =>
      suiteFiles.map((path) => ({
        name: [nameOf(packages, path), ...args.map((arg) => `(${arg})`)].join(" "),
        run: (address: ClientAddress) => runSuiteFile({ checkout, path, args, address }),
      })),
    ),
    ...mochaPackages.flatMap(({ folder, pattern, options }) =>
      filesOf(join(packages, folder), pattern).map((path) => ({
        name: nameOf(packages, path),
        run: (address: ClientAddress) => runMochaFile({ checkout, path, options, address }),
      })),
    ),
  ];
}

/** An addon that another Node has built fails in each test. In a process of its own, which it may end. */
function isLoadable(addon: string): boolean {
  return spawnSync(process.execPath, ["--eval", "require(process.argv[1])", addon]).status === 0;
}

function filesOf(folder: string, pattern: string): string[] {
  return globSync(pattern, { cwd: folder })
    .map((path) => join(folder, path))
    .toSorted();
}

function nameOf(packages: string, path: string): string {
  return relative(packages, path);
}

import { spawnSync } from "node:child_process";
import { globSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import {
  isDebian,
  isExecutable,
  neededPackages,
  pathFolders,
  unpackDebianPackage,
} from "./debian-packages.ts";

/** As distributions call it. */
const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
/** Chromium without windows, which needs less than half as much. */
const PACKAGE = "chromium-headless-shell";
const START_LIMIT_MS = 20_000;

/**
 * Finds a Chromium for the tests of the status page: on the PATH, in `cache`, or else in Debian's
 * package, which is unpacked into `cache` together with the libraries that the machine lacks.
 *
 * @returns its path; `undefined` where there is none to be had
 */
export function findChromium({
  cache,
  log,
}: {
  readonly cache: string;
  readonly log: (line: string) => void;
}): string | undefined {
  const starter = join(cache, "chromium");
  const paths = pathFolders().flatMap((folder) => NAMES.map((name) => join(folder, name)));
  const found = [...paths, starter].find(isExecutable);
  if (found !== undefined || !isDebian()) {
    return found;
  }
  log(`Fetching ${PACKAGE} from Debian for the test of the status page (about 100 MB, once)`);
  if (!unpackDebianPackage(cache, PACKAGE, () => neededPackages(PACKAGE))) {
    return undefined;
  }
  writeFileSync(starter, starterScript(cache), { mode: 0o755 });
  const { status } = spawnSync(starter, ["--version"], {
    stdio: "ignore",
    timeout: START_LIMIT_MS,
  });
  if (status === 0) {
    return starter;
  }
  rmSync(starter);
  return undefined;
}

/** Starts it with the libraries that were unpacked beside it. */
function starterScript(cache: string): string {
  const libraries = globSync("usr/lib/{*-linux-gnu*,*-linux-gnu*/*}/", { cwd: cache });
  return `#!/bin/sh
here=\${0%/*}
export LD_LIBRARY_PATH="${libraries.map((folder) => `$here/${folder}`).join(":")}"
exec "$here/usr/lib/chromium/${PACKAGE}" "$@"
`;
}

import { spawnSync } from "node:child_process";
import { accessSync, constants, globSync, mkdirSync, rmSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";

/** What became of the search for an etcd server. */
export type EtcdSearch =
  /** `folder` holds the `etcd` program. */
  | { readonly found: true; readonly folder: string }
  | { readonly found: false; readonly advice: string };

const ADVICE =
  "etcd is needed by some tests and was not found: put its server on the PATH " +
  "(Debian: apt-get install etcd-server, macOS: brew install etcd) " +
  "or leave those tests out with MULTIPOOLER_SKIP_ETCD=1";

/**
 * Finds an etcd server for the tests: on the PATH, in `cache`, or else in Debian's package
 * `etcd-server`, which is unpacked into `cache` and not installed: its installation would add a user
 * and start a server on the machine, and would need root.
 */
export function findEtcd({
  cache,
  log,
}: {
  readonly cache: string;
  readonly log: (line: string) => void;
}): EtcdSearch {
  const paths = (process.env["PATH"] ?? "").split(delimiter);
  const unpacked = join(cache, "usr", "bin");
  const folder = [...paths, unpacked].find(holdsEtcd);
  if (folder !== undefined) {
    return { found: true, folder };
  }
  if (!paths.some((path) => isExecutable(join(path, "apt-get")))) {
    return { found: false, advice: ADVICE };
  }
  log("Fetching etcd-server from Debian for the topology tests (about 9 MB, once)");
  return unpackDebianPackage(cache) && holdsEtcd(unpacked)
    ? { found: true, folder: unpacked }
    : { found: false, advice: ADVICE };
}

function unpackDebianPackage(cache: string): boolean {
  rmSync(cache, { recursive: true, force: true });
  mkdirSync(cache, { recursive: true });
  // The package lists may be missing or too old; only root can renew them.
  const fetched =
    run(cache, "apt-get", ["download", "etcd-server"]) ||
    (run(cache, "apt-get", ["update"]) && run(cache, "apt-get", ["download", "etcd-server"]));
  const [archive] = globSync("*.deb", { cwd: cache });
  return fetched && archive !== undefined && run(cache, "dpkg-deb", ["-x", archive, cache]);
}

function run(cwd: string, command: string, args: readonly string[]): boolean {
  return spawnSync(command, args, { cwd, stdio: "ignore", timeout: 120_000 }).status === 0;
}

function holdsEtcd(folder: string): boolean {
  return folder !== "" && isExecutable(join(folder, "etcd"));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return dirname(path) !== path;
  } catch {
    return false;
  }
}

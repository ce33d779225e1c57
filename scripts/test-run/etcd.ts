import { join } from "node:path";

import { isDebian, isExecutable, pathFolders, unpackDebianPackage } from "./debian-packages.ts";

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
 * `etcd-server`, which is unpacked into `cache`.
 */
export function findEtcd({
  cache,
  log,
}: {
  readonly cache: string;
  readonly log: (line: string) => void;
}): EtcdSearch {
  const unpacked = join(cache, "usr", "bin");
  const folder = [...pathFolders(), unpacked].find(holdsEtcd);
  if (folder !== undefined) {
    return { found: true, folder };
  }
  if (!isDebian()) {
    return { found: false, advice: ADVICE };
  }
  log("Fetching etcd-server from Debian for the topology tests (about 9 MB, once)");
  return unpackDebianPackage(cache, "etcd-server") && holdsEtcd(unpacked)
    ? { found: true, folder: unpacked }
    : { found: false, advice: ADVICE };
}

function holdsEtcd(folder: string): boolean {
  return isExecutable(join(folder, "etcd"));
}

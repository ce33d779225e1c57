import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import { findEtcd } from "../test-run/etcd.ts";
import { FakePrograms } from "./fake-programs.ts";

let programs: FakePrograms;
beforeEach(() => {
  programs = new FakePrograms();
});
afterEach(() => {
  programs[Symbol.dispose]();
});

function search(): { readonly result: ReturnType<typeof findEtcd>; readonly log: string[] } {
  const log: string[] = [];
  const result = findEtcd({ cache: programs.cache, log: (line) => log.push(line) });
  return { result, log };
}

test("takes the etcd of the PATH", () => {
  programs.add("bin/etcd", "exit 0");
  programs.usePath();
  expect(search()).toEqual({
    result: { found: true, folder: join(programs.folder, "bin") },
    log: [],
  });
});

test("takes the etcd that an earlier run unpacked", () => {
  programs.add("cache/usr/bin/etcd", "exit 0");
  programs.usePath();
  const unpacked = join(programs.cache, "usr", "bin");
  expect(search()).toEqual({ result: { found: true, folder: unpacked }, log: [] });
});

test("says in one line what to do where there is no Debian", () => {
  programs.usePath();
  const { result, log } = search();
  expect(result).toMatchObject({ found: false });
  expect(result).toHaveProperty("advice", expect.stringMatching(/^[^\n]*MULTIPOOLER_SKIP_ETCD=1$/));
  expect(log).toEqual([]);
});

test("unpacks Debian's package, after renewing its lists if it must", () => {
  programs.usePath();
  // The first download fails, as on a machine whose lists were never fetched.
  programs.add(
    "bin/apt-get",
    `case $1 in update) : > "${programs.folder}/renewed" ;; download) [ -e "${programs.folder}/renewed" ] && : > etcd.deb ;; esac`,
  );
  programs.add(
    "bin/dpkg-deb",
    '/bin/mkdir -p "$3/usr/bin" && : > "$3/usr/bin/etcd" && /bin/chmod +x "$3/usr/bin/etcd"',
  );
  const { result, log } = search();
  expect(result).toEqual({ found: true, folder: join(programs.cache, "usr", "bin") });
  expect(log).toHaveLength(1);
});

test("gives the advice when Debian cannot be reached", () => {
  programs.add("bin/apt-get", "exit 100");
  programs.usePath();
  expect(search().result).toMatchObject({ found: false });
});

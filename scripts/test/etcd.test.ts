import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { findEtcd } from "../test-run/etcd.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "etcd-search-"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

function program(path: string, script: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
}

function search(): { readonly result: ReturnType<typeof findEtcd>; readonly log: string[] } {
  const log: string[] = [];
  const result = findEtcd({ cache: join(folder, "cache"), log: (line) => log.push(line) });
  return { result, log };
}

test("takes the etcd of the PATH", () => {
  program(join(folder, "bin", "etcd"), "exit 0");
  vi.stubEnv("PATH", join(folder, "bin"));
  expect(search()).toEqual({ result: { found: true, folder: join(folder, "bin") }, log: [] });
});

test("takes the etcd that an earlier run unpacked", () => {
  program(join(folder, "cache", "usr", "bin", "etcd"), "exit 0");
  vi.stubEnv("PATH", join(folder, "bin"));
  const unpacked = join(folder, "cache", "usr", "bin");
  expect(search()).toEqual({ result: { found: true, folder: unpacked }, log: [] });
});

test("says in one line what to do where there is no Debian", () => {
  vi.stubEnv("PATH", join(folder, "bin"));
  const { result, log } = search();
  expect(result).toMatchObject({ found: false });
  expect(result).toHaveProperty("advice", expect.stringMatching(/^[^\n]*MULTIPOOLER_SKIP_ETCD=1$/));
  expect(log).toEqual([]);
});

test("unpacks Debian's package, after renewing its lists if it must", () => {
  const bin = join(folder, "bin");
  // The first download fails, as on a machine whose lists were never fetched.
  program(
    join(bin, "apt-get"),
    `case $1 in update) : > "${folder}/renewed" ;; download) [ -e "${folder}/renewed" ] && : > etcd.deb ;; esac`,
  );
  program(
    join(bin, "dpkg-deb"),
    '/bin/mkdir -p "$3/usr/bin" && : > "$3/usr/bin/etcd" && /bin/chmod +x "$3/usr/bin/etcd"',
  );
  vi.stubEnv("PATH", bin);
  const { result, log } = search();
  expect(result).toEqual({ found: true, folder: join(folder, "cache", "usr", "bin") });
  expect(log).toHaveLength(1);
});

test("gives the advice when Debian cannot be reached", () => {
  program(join(folder, "bin", "apt-get"), "exit 100");
  vi.stubEnv("PATH", join(folder, "bin"));
  expect(search().result).toMatchObject({ found: false });
});

import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { findChromium } from "../test-run/chromium.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "chromium search "));
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

function search(): { readonly found: string | undefined; readonly log: string[] } {
  const log: string[] = [];
  const found = findChromium({ cache: join(folder, "cache"), log: (line) => log.push(line) });
  return { found, log };
}

/** A Debian whose browser is a script, and needs one library. */
function debian(browser: string): void {
  const bin = join(folder, "bin");
  program(
    join(bin, "apt-get"),
    `case $1 in
install) echo "Inst libogg0 (1 Debian [amd64])"; echo "Inst $4 (1 Debian [amd64])"; echo "Conf $4" ;;
download) shift; for name; do : > "$name.deb"; done ;;
esac`,
  );
  program(
    join(bin, "dpkg-deb"),
    `case $2 in
lib*) /bin/mkdir -p "$3/usr/lib/x86_64-linux-gnu/more" ;;
*) /bin/mkdir -p "$3/usr/lib/chromium"; printf '#!/bin/sh\\n${browser}\\n' > "$3/usr/lib/chromium/chromium-headless-shell"
  /bin/chmod +x "$3/usr/lib/chromium/chromium-headless-shell" ;;
esac`,
  );
  vi.stubEnv("PATH", bin);
}

test("takes the Chromium of the PATH", () => {
  program(join(folder, "bin", "chromium"), "exit 0");
  vi.stubEnv("PATH", join(folder, "bin"));
  expect(search()).toEqual({ found: join(folder, "bin", "chromium"), log: [] });
});

test("finds none where there is no Debian", () => {
  vi.stubEnv("PATH", join(folder, "bin"));
  expect(search()).toEqual({ found: undefined, log: [] });
});

test("unpacks Debian's package, starts it with the libraries beside it, and keeps it", () => {
  debian('echo "$LD_LIBRARY_PATH"');
  const { found, log } = search();
  expect(log).toHaveLength(1);
  expect(found).toBe(join(folder, "cache", "chromium"));
  const libraries = join(folder, "cache", "usr", "lib", "x86_64-linux-gnu");
  expect(
    execFileSync(found ?? "", { encoding: "utf8" })
      .trim()
      .split(":")
      .toSorted(),
  ).toEqual([libraries, join(libraries, "more")]);
  expect(search()).toEqual({ found, log: [] });
});

test("finds none where the unpacked one does not start", () => {
  debian("exit 127");
  expect(search().found).toBeUndefined();
  expect(search().log).toHaveLength(1);
});

test("finds none where Debian cannot be reached", () => {
  program(join(folder, "bin", "apt-get"), "exit 100");
  vi.stubEnv("PATH", join(folder, "bin"));
  expect(search().found).toBeUndefined();
});

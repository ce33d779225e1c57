import { execFileSync } from "node:child_process";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import { findChromium } from "../test-run/chromium.ts";
import { FakePrograms } from "./fake-programs.ts";

let programs: FakePrograms;
beforeEach(() => {
  programs = new FakePrograms();
});
afterEach(() => {
  programs[Symbol.dispose]();
});

function search(): { readonly found: string | undefined; readonly log: string[] } {
  const log: string[] = [];
  const found = findChromium({ cache: programs.cache, log: (line) => log.push(line) });
  return { found, log };
}

/** A Debian whose browser is a script, and needs one library. */
function debian(browser: string): void {
  programs.usePath();
  programs.add(
    "bin/apt-get",
    `case $1 in
install) echo "Inst libogg0 (1 Debian [amd64])"; echo "Inst $4 (1 Debian [amd64])"; echo "Conf $4" ;;
download) shift; for name; do : > "$name.deb"; done ;;
esac`,
  );
  programs.add(
    "bin/dpkg-deb",
    `case $2 in
lib*) /bin/mkdir -p "$3/usr/lib/x86_64-linux-gnu/more" ;;
*) /bin/mkdir -p "$3/usr/lib/chromium"; printf '#!/bin/sh\\n${browser}\\n' > "$3/usr/lib/chromium/chromium-headless-shell"
  /bin/chmod +x "$3/usr/lib/chromium/chromium-headless-shell" ;;
esac`,
  );
}

test("takes the Chromium of the PATH", () => {
  programs.add("bin/chromium", "exit 0");
  programs.usePath();
  expect(search()).toEqual({ found: join(programs.folder, "bin", "chromium"), log: [] });
});

test("finds none where there is no Debian", () => {
  programs.usePath();
  expect(search()).toEqual({ found: undefined, log: [] });
});

test("unpacks Debian's package, starts it with the libraries beside it, and keeps it", () => {
  debian('echo "$LD_LIBRARY_PATH"');
  const { found, log } = search();
  expect(log).toHaveLength(1);
  expect(found).toBe(join(programs.cache, "chromium"));
  const libraries = join(programs.cache, "usr", "lib", "x86_64-linux-gnu");
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
  programs.add("bin/apt-get", "exit 100");
  programs.usePath();
  expect(search().found).toBeUndefined();
});

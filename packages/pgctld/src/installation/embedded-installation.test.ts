import { mkdir, mkdtemp, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { restoreSymlinks } from "./embedded-installation.ts";

test("makes the links that the install step would have made, and leaves those it finds", async () => {
  const dir = await mkdtemp(join(tmpdir(), "mp links "));
  onTestFinished(async () => await rm(dir, { recursive: true }));
  await mkdir(join(dir, "native", "lib"), { recursive: true });
  const links = [
    { source: "native/lib/libx.so.6.17", target: "native/lib/libx.so.6" },
    { source: "native/lib/libx.so.6.17", target: "native/lib/libx.so" },
  ];
  await writeFile(join(dir, "native", "pg-symlinks.json"), JSON.stringify(links));
  await restoreSymlinks(dir);
  await rm(join(dir, "native", "lib", "libx.so"));
  await restoreSymlinks(dir);
  expect(await readlink(join(dir, "native", "lib", "libx.so.6"))).toBe("libx.so.6.17");
  expect(await readlink(join(dir, "native", "lib", "libx.so"))).toBe("libx.so.6.17");
});

import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { pnpmOnPath, wantedPnpm } from "./toolchain.mjs";

test("reads pnpm's version from package.json, also with a checksum behind it", () => {
  expect(wantedPnpm('{ "packageManager": "pnpm@10.34.9" }')).toBe("10.34.9");
  expect(wantedPnpm('{ "packageManager": "pnpm@10.34.9+sha512.abc" }')).toBe("10.34.9");
});

test("refuses a package.json that names another package manager, or none", () => {
  expect(() => wantedPnpm('{ "packageManager": "yarn@4.0.0" }')).toThrow("no pnpm");
  expect(() => wantedPnpm("{}")).toThrow("no pnpm");
});

async function folderWithPnpm(name: string, version: string): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "mp tools "));
  onTestFinished(async () => await rm(root, { recursive: true }));
  await mkdir(join(root, "pnpm", "bin"), { recursive: true });
  await writeFile(join(root, "pnpm", "package.json"), JSON.stringify({ name, version }));
  await writeFile(join(root, "pnpm", "bin", "pnpm.cjs"), "");
  await mkdir(join(root, ".bin"));
  await symlink(join("..", "pnpm", "bin", "pnpm.cjs"), join(root, ".bin", "pnpm"));
  return join(root, ".bin");
}

test("takes the first pnpm on the path if it has the right version", async () => {
  const right = await folderWithPnpm("pnpm", "10.34.9");
  const other = await folderWithPnpm("pnpm", "9.0.0");
  expect(pnpmOnPath(["/nowhere", right, other].join(delimiter), "10.34.9")).toBe(
    join(right, "pnpm"),
  );
  expect(pnpmOnPath([other, right].join(delimiter), "10.34.9")).toBeUndefined();
});

test("takes no pnpm that another package provides, and none from an empty path", async () => {
  expect(pnpmOnPath(await folderWithPnpm("corepack", "10.34.9"), "10.34.9")).toBeUndefined();
  expect(pnpmOnPath(undefined, "10.34.9")).toBeUndefined();
});

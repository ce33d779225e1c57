import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import manifest from "../package.json" with { type: "json" };

test("every generated file has a sub-path, and every sub-path a generated file", async () => {
  const directory = join(import.meta.dirname, "../src/gen");
  const files = await readdir(directory, { recursive: true });
  const modules = files.filter((file) => file.endsWith(".ts")).map((file) => file.slice(0, -3));
  const targets = Object.values(manifest.exports);
  expect(targets.map((target) => target.default).toSorted()).toEqual(
    modules.map((module) => `./dist/gen/${module}.js`).toSorted(),
  );
  expect(targets.map((target) => target.types).toSorted()).toEqual(
    modules.map((module) => `./dist/gen/${module}.d.ts`).toSorted(),
  );
});

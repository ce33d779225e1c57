import { expect, test } from "vitest";

import { parseManifest } from "./manifest.ts";

test("reads every dependency field with its lines", () => {
  const text = JSON.stringify(
    { name: "a", dependencies: { b: "catalog:" }, peerDependencies: { b: "^1.0.0", c: "^2.0.0" } },
    null,
    2,
  );
  expect(parseManifest(text).dependencies).toEqual([
    { field: "dependencies", name: "b", range: "catalog:", line: 4 },
    { field: "peerDependencies", name: "b", range: "^1.0.0", line: 7 },
    { field: "peerDependencies", name: "c", range: "^2.0.0", line: 8 },
  ]);
});

test.each([
  ["no exports field", {}, undefined],
  ["a single export", { exports: "./index.js" }, ["."]],
  ["conditions without sub-paths", { exports: { types: "./a.d.ts", default: "./a.js" } }, ["."]],
  ["sub-paths", { exports: { ".": "./a.js", "./b": "./b.js" } }, [".", "./b"]],
])("understands %s", (_title, fields, expected) => {
  expect(parseManifest(JSON.stringify(fields)).exportKeys).toEqual(expected);
});

test.each(["[]", "null", "1", "{"])("refuses %s", (text) => {
  expect(() => parseManifest(text)).toThrow(SyntaxError);
});

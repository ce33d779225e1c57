import { expect, test } from "vitest";

import { offers, targetOf } from "./specifier.ts";

test.each([
  ["./a.ts", { kind: "relative", path: "./a.ts" }],
  ["../a.ts", { kind: "relative", path: "../a.ts" }],
  ["/srv/a.ts", { kind: "relative", path: "/srv/a.ts" }],
  ["node:fs", { kind: "builtin" }],
  ["fs/promises", { kind: "builtin" }],
  ["pg", { kind: "package", name: "pg", key: "." }],
  ["pg/lib/client.js", { kind: "package", name: "pg", key: "./lib/client.js" }],
  ["@grpc/grpc-js", { kind: "package", name: "@grpc/grpc-js", key: "." }],
  ["@scope/name/a/b", { kind: "package", name: "@scope/name", key: "./a/b" }],
])("takes %s apart", (specifier, expected) => {
  expect(targetOf(specifier)).toEqual(expected);
});

test.each([
  [["."], ".", true],
  [["."], "./testing", false],
  [["./testing"], ".", false],
  [["./gen/*"], "./gen/query", true],
  [["./gen/*"], "./gen/", false],
  [["./gen/*.js"], "./gen/query.js", true],
  [["./gen/*.js"], "./gen/query.ts", false],
  [[], ".", false],
])("%j offers %s: %s", (keys, key, expected) => {
  expect(offers(keys, key)).toBe(expected);
});

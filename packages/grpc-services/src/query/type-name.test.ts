import { expect, test } from "vitest";
import { typeName } from "./type-name.ts";

test.each([
  [16, "bool"],
  [23, "int4"],
  [1007, "_int4"],
  [25, "text"],
  [1184, "timestamptz"],
  [2950, "uuid"],
  [3802, "jsonb"],
  [2278, "void"],
])("type %i is %s", (oid, name) => {
  expect(typeName(oid)).toBe(name);
});

test("a type that is not built in has no name", () => {
  expect(typeName(16_384)).toBe("");
});

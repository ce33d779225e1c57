import fc from "fast-check";
import { expect, test } from "vitest";
import { formatStandbyNames, parseStandbyNames } from "./standby-names.ts";

test.each([
  ['ANY 2 ("zone1_a", "zone1_b")', "any", 2, ["zone1_a", "zone1_b"]],
  ["first 1(zone1_a)", "first", 1, ["zone1_a"]],
  ["3 (a, b, c)", "first", 3, ["a", "b", "c"]],
  ["a", "first", 1, ["a"]],
  [' a ,"b, ""c"" (x)" ', "first", 1, ["a", 'b, "c" (x)']],
  ["*", "first", 1, ["*"]],
  ["ANY 1 (*)", "any", 1, ["*"]],
  ['"any", 7', "first", 1, ["any", "7"]],
  ["FIRST 2 (größe, a$1)", "first", 2, ["größe", "a$1"]],
])("%j is read as PostgreSQL reads it", (text, method, count, names) => {
  expect(parseStandbyNames(text)).toEqual({ method, count, names });
});

test.each([
  "",
  "  ",
  "ANY",
  "ANY 1",
  "ANY 1 ()",
  "ANY (a)",
  "1 (a",
  "a,",
  ",a",
  "a b",
  '"a',
  "a-b",
])("%j says nothing", (text) => {
  expect(parseStandbyNames(text)).toBeUndefined();
});

test("whatever is written is read as the same", () => {
  const setting = fc.record({
    method: fc.constantFrom("first" as const, "any" as const),
    count: fc.integer({ min: 1, max: 100 }),
    names: fc.array(fc.string({ minLength: 1 }), { minLength: 1 }),
  });
  fc.assert(
    fc.property(setting, (names) => {
      expect(parseStandbyNames(formatStandbyNames(names))).toEqual(names);
    }),
  );
});

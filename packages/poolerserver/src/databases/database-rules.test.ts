import fc from "fast-check";
import { expect, test } from "vitest";
import { DatabaseRules, requireRules } from "./database-rules.ts";

test.each([
  [["app"], "app", "named"],
  [["app"], "app2", "none"],
  [["*"], "anything", "matched"],
  [["tenant_*"], "tenant_7", "matched"],
  [["tenant_*"], "a_tenant_7", "none"],
  [["*_prod", "app"], "shop_prod", "matched"],
  [["a.c"], "abc", "none"],
  [["a*.c"], "abxc", "none"],
  [["ü*"], "über\nall", "matched"],
  [["**"], "x", "matched"],
  [["app*", "app"], "app", "named"],
  [[], "app", "none"],
] as const)("%j and %j: %s", (rules, database, permission) => {
  expect(new DatabaseRules(rules).permission(database)).toBe(permission);
});

test.each(["", "a\0b"])("%j is no rule", (rule) => {
  expect(() => requireRules(["app", rule])).toThrow(/databases must be names or patterns/);
});

test("a pattern of many stars takes no longer for a name that nearly matches", () => {
  const rules = new DatabaseRules([`${"*a".repeat(50)}*b`]);
  expect(rules.permission("a".repeat(10_000))).toBe("none");
});

test("a pattern matches what the regular expression does", () => {
  const rule = fc.string({ unit: fc.constantFrom("a", "b", "*"), maxLength: 6 });
  const name = fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 6 });
  fc.assert(
    fc.property(rule, name, (pattern, database) => {
      const expected = new RegExp(`^${pattern.replaceAll("*", ".*")}$`).test(database);
      expect(new DatabaseRules([pattern]).permission(database) !== "none").toBe(expected);
    }),
    { numRuns: 2000 },
  );
});

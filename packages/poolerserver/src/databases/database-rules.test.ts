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

test("a pattern of many stars takes no long time", () => {
  const rules = new DatabaseRules(["*a*a*a*a*a*b"]);
  expect(rules.permission("a".repeat(63))).toBe("none");
});

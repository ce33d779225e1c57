import { expect, test } from "vitest";
import { MAX_CALLERS, Statements } from "./statements.ts";

const STATEMENTS = new Statements((sql) => ({ sql }));

test("each caller takes its own keys in turn", () => {
  expect(STATEMENTS.at("update", 3, 0)).toEqual({
    sql: "update accounts set balance = balance + 1 where id = 96",
  });
  expect(STATEMENTS.at("update", 3, 1)).toEqual({
    sql: "update accounts set balance = balance + 1 where id = 97",
  });
  expect(STATEMENTS.at("update", 3, 32)).toBe(STATEMENTS.at("update", 3, 0));
});

test("callers share no key", () => {
  const seen = new Map<object, number>();
  for (let caller = 0; caller < MAX_CALLERS; caller += 1) {
    for (let n = 0; n < 40; n += 1) {
      const statement = STATEMENTS.at("select", caller, n);
      expect(seen.get(statement) ?? caller).toBe(caller);
      seen.set(statement, caller);
    }
  }
});

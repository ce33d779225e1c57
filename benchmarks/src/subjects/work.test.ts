import { expect, test } from "vitest";
import { MAX_CALLERS, markOf, Works } from "./work.ts";
import type { Work } from "./work.ts";

const WORKS = new Works((work) => ({ work }));

test("each caller takes its own keys in turn", () => {
  const sql = (key: number): string =>
    `update accounts set balance = balance + 1 where id = ${key}`;
  expect(WORKS.at("update", 3, 0)).toEqual({ work: { type: "simple", sql: sql(96) } });
  expect(WORKS.at("update", 3, 1)).toEqual({ work: { type: "simple", sql: sql(97) } });
  expect(WORKS.at("update", 3, 32)).toBe(WORKS.at("update", 3, 0));
});

test.each(["select", "transaction"] as const)("callers share no key of %s", (caseName) => {
  const seen = new Map<string, number>();
  for (let caller = 0; caller < MAX_CALLERS; caller += 1) {
    for (let n = 0; n < 40; n += 1) {
      for (const [key] of JSON.stringify(WORKS.at(caseName, caller, n)).matchAll(/id = \d+/g)) {
        expect(seen.get(key) ?? caller).toBe(caller);
        seen.set(key, caller);
      }
    }
  }
});

test("requests are told apart by the statement that they are for", () => {
  const marks = (["select", "update", "prepared", "rows", "wide"] as const).map((caseName) =>
    markOf(Buffer.from(sqlIn(WORKS.at(caseName, 0, 0).work))),
  );
  expect(new Set(marks).size).toBe(4);
  expect(marks).not.toContain("");
  expect(markOf(Buffer.from("commit"))).toBe("");
});

function sqlIn(work: Work): string {
  return work.type === "transaction" ? work.statements.join(";") : work.sql;
}

import fc from "fast-check";
import { expect, test } from "vitest";
import { judge } from "./judgement.ts";
import { isIndifferentToConstants } from "./text-facts.ts";
import { readQuery } from "./text-reader.ts";
import { shapeOf } from "./text-shape.ts";

test("leaves out constants only", () => {
  expect(shapeOf("select 1, a1, 'x', $1 from t -- 7\n where b = e'y' and c = $$z$$")).toBe(
    shapeOf("select 2.5e7, a1, '', $1 from t -- 7\n where b = x'0' and c = ''''"),
  );
  const shapes = ["select 1", "select '1'", "select a", "select a1", "select $1", "select -1"];
  expect(new Set(shapes.map(shapeOf)).size).toBe(shapes.length);
});

test("has none where a setting decides about where constants end", () => {
  expect(shapeOf("select '\\'")).toBeUndefined();
});

test("statements of the same shape are judged alike", () => {
  const constants = fc.constantFrom(
    "1",
    "0x1f",
    "'a'",
    "'seed'",
    "'it''s'",
    "$$load 'x'$$",
    "E'x'",
    "1.5e3",
  );
  const frames = fc.constantFrom(
    (a: string, b: string) => `select f(${a}) from t where x = ${b}`,
    (a: string, b: string) => `select set_config(${a}, ${b}, true)`,
    (a: string, b: string) => `set x = ${a}; select ${b}`,
    (a: string, b: string) => `do ${a} ${b}`,
    (a: string, b: string) => `insert into t values (${a}, ${b})`,
    (a: string, b: string) => `select ${a} ${b}`,
    (a: string, b: string) => `select b'1'${a}\n${b}`,
  );
  fc.assert(
    fc.property(frames, constants, constants, constants, constants, (frame, ...values) => {
      const [a, b, c, d] = values;
      const one = frame(a, b);
      const other = frame(c, d);
      const facts = readQuery(one);
      if (shapeOf(one) === shapeOf(other) && isIndifferentToConstants(facts)) {
        expect(judge(readQuery(other), undefined)).toEqual(judge(facts, undefined));
      }
    }),
    { numRuns: 2000 },
  );
});

import { toSqlText } from "@multipooler/pgwire";
import fc from "fast-check";
import { expect, test } from "vitest";
import { SimilarTexts } from "./similar-texts.ts";
import { readQuery } from "./text-reader.ts";

function areSimilar(known: string, text: string): boolean {
  const texts = new SimilarTexts<true>();
  texts.set(known, true);
  return texts.get(text) === true;
}

test.each([
  ["select * from t where id = 1", "select * from t where id = 99817"],
  ["select 1,-2,3", "select 44,-5,600"],
  ["select f(1)", "select f(20)"],
  ["select 'a 1', 7", "select 'a 22', 8"],
])("%s is like %s", (a, b) => {
  expect(areSimilar(a, b)).toBe(true);
});

test.each([
  ["other words", "select a", "select b"],
  ["a number in a name", "select f1(2)", "select f2(2)"],
  ["a number in a name that begins with a letter beyond ASCII", "select é1(2)", "select é2(2)"],
  ["a parameter", "select $1", "select $2"],
  ["a number with a point", "select 1.5", "select 2.5"],
  ["a number with an exponent", "select 1e5", "select 1e6"],
  ["a missing number", "select 1, 2", "select 1, "],
  ["a number more", "select 1, 2", "select 1, 2 3"],
  ["a quoted name", 'select "f 1"()', 'select "f 2"()'],
  ["a backslash", "select '\\' 1", "select '\\' 2"],
])("%s keeps two texts apart", (_, a, b) => {
  expect(areSimilar(a, b)).toBe(false);
});

test("texts that are similar say the same", () => {
  const piece = fc.constantFrom(
    ..."1 23 456 a b1 'x 1' '' ' ; , ( ) . - -- /* */ $ $1 $$ $a$ e x' 1e5 2.5 _ \n é :: \" \\".split(
      " ",
    ),
    " ",
  );
  const numbers = fc.array(fc.nat({ max: 9999 }), { minLength: 20, maxLength: 20 });
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), numbers, (pieces, values) => {
      const a = toSqlText(pieces.join(""));
      let next = 0;
      const b = a.replaceAll(/\d+/g, () => {
        next += 1;
        return String(values[next % values.length]);
      });
      if (areSimilar(a, b)) {
        expect(readQuery(b)).toEqual(readQuery(a));
      }
    }),
    { numRuns: 5000 },
  );
});

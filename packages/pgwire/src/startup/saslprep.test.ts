import fc from "fast-check";
import { expect, test } from "vitest";
import { saslPrep } from "./saslprep.ts";

test.each([
  ["a soft hyphen is nothing", "I\u00adX", "IX"],
  ["ASCII stays as it is", "user", "user"],
  ["also in case", "USER", "USER"],
  ["compatibility forms are folded", "\u00aa", "a"],
  ["a Roman numeral is letters", "\u2168", "IX"],
  ["control characters of ASCII stay, as in PostgreSQL", "a\u0007b", "a\u0007b"],
  ["other spaces are spaces", "a\u00a0\u3000b", "a  b"],
  ["accents are composed", "u\u0308", "\u00fc"],
  ["right-to-left text may not end in a digit, so it stays", "\u0627\u00aa1", "\u0627\u00aa1"],
  ["right-to-left text is folded when it is nothing else", "\ufb21\u05d0", "\u05d0\u05d0"],
  ["right-to-left text with Latin in it stays", "\ufb21a\u05d0", "\ufb21a\u05d0"],
  ["what Unicode 3.2 did not know makes all stay", "\u2168\u{1f600}", "\u2168\u{1f600}"],
  ["a private character makes all stay", "\u2168\ue000", "\u2168\ue000"],
  ["nothing but nothing stays", "\u00ad", "\u00ad"],
])("%s", (_case, password, prepared) => {
  expect(saslPrep(password)).toBe(prepared);
});

test("it is stable for whatever it changed", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme-composite" }), (password) => {
      const prepared = saslPrep(password);
      fc.pre(prepared !== password);
      expect(prepared).toBe(prepared.normalize("NFKC"));
    }),
  );
});

import { expect, test } from "vitest";
import { findSettingsReset } from "./settings-reset.ts";

test.for([
  ["discard all", { type: "discardAll" }],
  ["/* a /* b */ */ DISCARD --\n ALL ;;", { type: "discardAll" }],
  ["Reset All;", { type: "resetAll" }],
  ["reset statement_timeout", { type: "reset", name: "statement_timeout" }],
  ['reset "DateStyle"', { type: "reset", name: "datestyle" }],
  ["reset app . x", { type: "reset", name: "app.x" }],
  ["reset time zone", { type: "reset", name: "timezone" }],
  ["", undefined],
  ["discard", undefined],
  ["discard plans", undefined],
  ["discard all; select 1", undefined],
  ["select 'discard all'", undefined],
  ["set x = 1", undefined],
] as const)("%s", ([text, expected]) => {
  expect(findSettingsReset(text)).toEqual(expected);
});

test("a text of any length is read once", () => {
  const blanks = " ".repeat(1_000_000);
  for (const end of ["/**/", "", ";", "x", "/*", "'"]) {
    const started = performance.now();
    findSettingsReset(`discard all${blanks}${end}`);
    findSettingsReset(`${blanks}discard${blanks}all${end.repeat(200_000)}`);
    // Quadratic time would be minutes.
    expect(performance.now() - started).toBeLessThan(2000);
  }
});

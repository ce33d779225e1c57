import { expect, test } from "vitest";
import { textTable } from "./text-table.ts";

test("columns begin in line, numbers end in line, and no line ends in blanks", () => {
  const rows = [
    ["", "median"],
    ["one", "1.000", "first"],
    ["other", "12.5"],
  ];
  expect(textTable(rows, { flushRight: [1] })).toBe(
    ["       median", "one     1.000  first", "other    12.5", ""].join("\n"),
  );
});

test("no rows are no text", () => {
  expect(textTable([])).toBe("");
});

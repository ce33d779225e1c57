import { expect, test } from "vitest";
import { filled, tableLines, tableText } from "./text-table.ts";
import type { Alignment } from "./text-table.ts";

test("columns are as wide as their widest cell in the terminal, and no line ends in blanks", () => {
  const rows = [
    ["日本", "one", ""],
    ["a", "three", "x"],
  ];
  expect(tableText(rows)).toBe("日本  one\na     three  x\n");
});

test("numbers end in line, and a row may be shorter than others", () => {
  const rows = [
    ["", "median"],
    ["one", "1.000", "first"],
    ["other", "12.5"],
  ];
  expect(tableText(rows, { flushRight: [1] })).toBe(
    ["       median", "one     1.000  first", "other    12.5", ""].join("\n"),
  );
});

test("no rows are no text", () => {
  expect(tableText([])).toBe("");
});

test("control characters cannot drive the terminal, and count as they are shown", () => {
  expect(
    tableLines([
      ["a\u001b", "x"],
      ["b", "y"],
    ]),
  ).toEqual(["a\\x1b  x", "b      y"]);
});

test("columns of a given width keep it, and a wider cell stays whole", () => {
  expect(
    tableLines(
      [
        ["a", "b"],
        ["abcde", "b"],
      ],
      { widths: [3] },
    ),
  ).toEqual(["a    b", "abcde  b"]);
});

test.each<[Alignment, string]>([
  ["left", "日   "],
  ["right", "   日"],
  ["center", " 日  "],
])("fills a cell up on the other side: %s", (alignment, expected) => {
  expect(filled("日", 5, alignment)).toBe(expected);
});

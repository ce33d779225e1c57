import { expect, test } from "vitest";
import { resultPrinter } from "./result-format.ts";
import type { Cell, Column, ResultFormat } from "./result-format.ts";

const COLUMNS: readonly Column[] = [
  { name: "id", numeric: true },
  { name: "name", numeric: false },
];

function print(format: ResultFormat, batches: readonly (readonly (readonly Cell[])[])[]): string {
  const printer = resultPrinter(format);
  const count = batches.reduce((sum, rows) => sum + rows.length, 0);
  return [
    printer.begin(COLUMNS),
    ...batches.map((rows) => printer.rows(rows)),
    printer.end(count),
  ].join("");
}

test("a table is aligned, numbers to the right", () => {
  expect(
    print("table", [
      [
        ["1", "one"],
        ["200", null],
      ],
    ]),
  ).toBe(" id  | name\n-----+------\n   1 | one\n 200 |\n(2 rows)\n");
});

test("an empty result still shows its columns", () => {
  expect(print("table", [])).toBe(" id | name\n----+------\n(0 rows)\n");
});

test("widths are those of the first rows; wider rows that follow stay whole", () => {
  expect(print("table", [[["1", "a"]], [["123456", "b"]]])).toBe(
    " id | name\n----+------\n  1 | a\n 123456 | b\n(2 rows)\n",
  );
});

test("wide characters are counted as the terminal shows them", () => {
  expect(
    print("table", [
      [
        ["1", "日本"],
        ["2", "ab"],
      ],
    ]),
  ).toContain("  1 | 日本\n  2 | ab\n");
});

test("control characters cannot drive the terminal", () => {
  expect(print("table", [[["1", "a\u001b[31m\nb\tc\u009b"]]])).toContain("a\\x1b[31m\\nb\\tc\\x9b");
});

test("csv quotes what must be quoted and tells NULL from the empty text", () => {
  expect(
    print("csv", [
      [
        ["1", 'say "hi", twice\n'],
        ["2", null],
        ["3", ""],
      ],
    ]),
  ).toBe('id,name\n1,"say ""hi"", twice\n"\n2,\n3,""\n');
});

test("json is one object a row, NULL is null", () => {
  expect(
    print("json", [
      [
        ["1", 'a"b'],
        ["2", null],
      ],
    ]),
  ).toBe('{"id":"1","name":"a\\"b"}\n{"id":"2","name":null}\n');
});

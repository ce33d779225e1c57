import { expect, test } from "vitest";
import { resultPrinter } from "./result-format.ts";
import type { Cell, Column, ResultFormat } from "./result-format.ts";

const COLUMNS: readonly Column[] = [
  { name: "id", numeric: true },
  { name: "name", numeric: false },
];

function print(
  format: ResultFormat,
  batches: readonly (readonly (readonly Cell[])[])[],
  { isTerminal } = { isTerminal: false },
): string {
  const printer = resultPrinter(format, { isTerminal });
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

test("on a terminal nothing controls it, and a file gets what PostgreSQL sent", () => {
  const rows = [[["1", "\u001b[2J\u009b2J"]]];
  expect(print("csv", rows, { isTerminal: true })).toBe("id,name\n1,\\x1b[2J\\x9b2J\n");
  expect(print("csv", rows)).toBe("id,name\n1,\u001b[2J\u009b2J\n");
  const json = print("json", rows);
  expect(json).toBe('{"id":"1","name":"\\u001b[2J\\u009b2J"}\n');
  expect(JSON.parse(json)).toEqual({ id: "1", name: "\u001b[2J\u009b2J" });
});

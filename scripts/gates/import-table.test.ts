import { expect, test } from "vitest";

import { BOUNDARIES } from "../lint/boundary-table.ts";
import { importTableFaults } from "./import-table.ts";

const TABLE = {
  ...BOUNDARIES,
  imports: {
    "packages/a": [],
    "packages/b": ["packages/c", "packages/a"],
    "packages/c": ["packages/a"],
    "apps/d": "everything",
  },
} as const;
const FOLDERS = ["packages/a", "packages/b", "packages/c", "apps/d"];

function faultsOf(...lines: string[]): string[] {
  return importTableFaults(lines.join("\n"), FOLDERS, TABLE);
}

test("a table that says what is allowed is fine", () => {
  expect(
    faultsOf(
      "| package  | is        | imports    |",
      "| -------- | --------- | ---------- |",
      "| `a`      | the first | nothing    |",
      "| `b`      | `second`  | a, c       |",
      "| `c`      | the third | a          |",
      "| `apps/d` | it all    | everything |",
    ),
  ).toEqual([]);
});

test("rows that differ, unknown packages and missing rows are faults", () => {
  expect(
    faultsOf("| `a` | x | b |", "| `b` | x | a, c |", "| `e` | x | a |", "| `c` | x | a |"),
  ).toEqual([
    "1: packages/a imports nothing",
    "3: packages/e imports nothing",
    "1: the table of packages has no row for apps/d",
  ]);
});

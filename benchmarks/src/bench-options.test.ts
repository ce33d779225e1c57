import { expect, test } from "vitest";
import { UsageError, readOptions } from "./bench-options.ts";

test("without options there is a table of the default rounds", () => {
  expect(readOptions([], 7)).toEqual({ rounds: 7, json: false });
});

test("rounds and JSON can be asked for", () => {
  expect(readOptions(["--json", "--rounds", "3"], 7)).toEqual({ rounds: 3, json: true });
});

test.each([
  [["--rounds", "0"], '--rounds: "0"'],
  [["--rounds", "many"], '--rounds: "many"'],
  [["--rounds"], "--rounds"],
  [["--jason"], "--jason"],
])("%j is refused by name", (args, named) => {
  expect(() => readOptions(args, 7)).toThrow(UsageError);
  expect(() => readOptions(args, 7)).toThrow(named);
});

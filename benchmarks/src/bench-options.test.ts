import { expect, test } from "vitest";
import { UsageError, readOptions, wholeNumber } from "./bench-options.ts";

test("without options there is a table of the default rounds", () => {
  expect(readOptions([], 7)).toEqual({ rounds: 7, json: false, own: new Map() });
});

test("rounds and JSON can be asked for", () => {
  expect(readOptions(["--json", "--rounds", "3"], 7)).toMatchObject({ rounds: 3, json: true });
});

test("a bench can have options of its own", () => {
  const { own } = readOptions(["--seconds", "3"], 7, ["seconds", "clients"]);
  expect(own).toEqual(new Map([["seconds", "3"]]));
  expect(wholeNumber(own, "seconds")).toBe(3);
  expect(wholeNumber(own, "clients")).toBeUndefined();
  expect(() => readOptions(["--seconds", "3"], 7)).toThrow("--seconds");
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

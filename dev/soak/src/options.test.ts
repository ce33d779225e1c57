import { expect, test } from "vitest";
import { readOptions, UsageError } from "./options.ts";

test("what is not given has its default", () => {
  expect(readOptions(["--", "--minutes", "0.5"])).toEqual({ minutes: 0.5, clients: 36, seed: 1 });
  expect(readOptions(["--help"])).toBeUndefined();
});

test.each([
  ["--minutes", "0"],
  ["--clients", "x"],
  ["--seed", ""],
  ["--hours", "1"],
])("%s %s is no command line", (...args) => {
  expect(() => readOptions(args)).toThrow(UsageError);
  expect(() => readOptions(args)).toThrow(args[0]);
});

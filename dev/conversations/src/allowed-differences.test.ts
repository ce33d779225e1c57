import { expect, test } from "vitest";
import { THE_END, comparable, isAllowed } from "./allowed-differences.ts";
import { bind, describe, execute, message, parse, query, sync, terminate } from "./frontend.ts";

function error(sqlstate: string): string {
  const fields = ["SERROR", "VERROR", `C${sqlstate}`, "Mit went wrong", ""];
  return comparable(message("E", `${fields.join("\0")}\0`));
}

const FAILED = error("25P02");
const DESCRIBED = ["t", "n"];
const FAILED_ANSWER = [FAILED, "Z E"];

test("the sides answer the same", () => {
  const answer = ["1", "2", "C SELECT 1", "Z I"];
  const sent = [parse("select 1"), bind(), execute(), sync];
  expect(isAllowed({ expected: answer, actual: answer, sent, before: "Z I" })).toBe(true);
  const other = ["1", "2", "C SELECT 2", "Z I"];
  expect(isAllowed({ expected: answer, actual: other, sent, before: "Z I" })).toBe(false);
  expect(isAllowed({ expected: answer, actual: [], sent, before: "Z I" })).toBe(false);
});

test.each([
  ["a Describe of a statement", [...DESCRIBED, "Z E"], [describe("S", "s"), sync]],
  [
    "a Describe and what fails behind it",
    [...DESCRIBED, FAILED, "Z E"],
    [describe("S", "s"), bind([], { statement: "s" }), sync],
  ],
  ["a Bind with a wrong number of values", [error("08P01"), "Z E"], [bind(["1"]), sync]],
  [
    "a portal that is none",
    [...DESCRIBED, error("34000"), "Z E"],
    [describe("S"), execute("p"), sync],
  ],
])("in a failed transaction the pooler may fail at once: %s", (_, expected, sent) => {
  expect(isAllowed({ expected, actual: FAILED_ANSWER, sent, before: "Z E" })).toBe(true);
});

test("also where the client then leaves", () => {
  const sent = [describe("S", "s"), sync, terminate];
  const expected = [...DESCRIBED, THE_END];
  expect(isAllowed({ expected, actual: [FAILED, THE_END], sent, before: "Z E" })).toBe(true);
});

test("the status before a unit is that of the unit ahead of it", () => {
  const sent = [query("select 1/0"), describe("S", "s"), sync];
  const zero = error("22012");
  const expected = [zero, "Z E", ...DESCRIBED, "Z E"];
  const actual = [zero, "Z E", ...FAILED_ANSWER];
  expect(isAllowed({ expected, actual, sent, before: "Z T" })).toBe(true);
});

test.each([
  ["another error", [error("42P01"), "Z E"], [bind(), sync], "Z E"],
  ["a transaction that had not failed", [...DESCRIBED, "Z E"], [describe("S", "s"), sync], "Z T"],
  ["another state afterwards", [...DESCRIBED, "Z T"], [describe("S", "s"), sync], "Z E"],
  ["a simple query", ["C ROLLBACK", "Z E"], [query("rollback")], "Z E"],
  ["a Describe of a portal", ["n", "Z E"], [describe("P"), sync], "Z E"],
])("elsewhere it may not: %s", (_, expected, sent, before) => {
  expect(isAllowed({ expected, actual: FAILED_ANSWER, sent, before })).toBe(false);
});

test("a statement that cannot be described any more fails without its parameters", () => {
  const gone = error("42P01");
  const sent = [parse("select 1"), describe("S", "s"), sync];
  const expected = ["1", "t ", gone, "Z I"];
  expect(isAllowed({ expected, actual: ["1", gone, "Z I"], sent, before: "Z I" })).toBe(true);
  const others = [
    ["1", error("42703"), "Z I"],
    [gone, "Z I"],
    ["1", gone, "Z E"],
    ["1", "Z I"],
  ];
  for (const actual of others) {
    expect(isAllowed({ expected, actual, sent, before: "Z I" })).toBe(false);
  }
  const ofPortal = [describe("P"), sync];
  expect(isAllowed({ expected, actual: ["1", gone, "Z I"], sent: ofPortal, before: "Z I" })).toBe(
    false,
  );
});

test("no more units fail at once than statements were used", () => {
  const sent = [describe("S", "s"), sync, sync];
  const expected = [...DESCRIBED, "Z E", "1", "Z E"];
  const actual = [...FAILED_ANSWER, ...FAILED_ANSWER];
  expect(isAllowed({ expected, actual, sent, before: "Z E" })).toBe(false);
});

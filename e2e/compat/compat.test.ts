import { expect, test } from "vitest";
import { compare, summaryOf, WHOLE_FILE } from "./comparison.ts";
import { outcomesOf as mochaOutcomesOf } from "./mocha-file.ts";
import { outcomesOf } from "./suite-file.ts";

const passed = (name: string) => ({ test: name, hasPassed: true, output: "" });
const failed = (name: string) => ({ test: name, hasPassed: false, output: "why" });

test("each test is compared with what it did directly, and with what is known", () => {
  const names = ["same", "known", "fault", "stale", "broken", "missing"];
  const differences = compare({
    file: "f.js",
    direct: names.map((name) => (name === "broken" ? failed(name) : passed(name))),
    pooled: [passed("same"), failed("known"), failed("fault"), passed("stale"), passed("broken")],
    known: ["known", "stale"].map((name) => ({ file: "f.js", test: name, reason: "so" })),
  });
  expect(differences.map(({ type }) => type)).toEqual([...names.slice(0, 5), "fault"]);
  expect(differences[2]?.output).toBe("why");
  expect(summaryOf(differences).isGood).toBe(false);
  expect(summaryOf(differences.slice(0, 2)).isGood).toBe(true);
});

test("a run that found no test is not good", () => {
  expect(summaryOf([]).isGood).toBe(false);
});

test("the lines of node-postgres' own runner are read", () => {
  const output =
    "a-tests.js\n  first ✔\n  second  FAILED!\nError: a\n  at b\n  third ✔\n  fourth FAILED!\nno\n";
  expect(outcomesOf(output, false)).toEqual([
    passed("first"),
    passed("third"),
    { test: "second", hasPassed: false, output: "Error: a\n  at b" },
    { test: "fourth", hasPassed: false, output: "no" },
    passed(WHOLE_FILE),
  ]);
  expect(outcomesOf("a-tests.js boom", false)).toEqual([
    { test: WHOLE_FILE, hasPassed: false, output: "a-tests.js boom" },
  ]);
});

test("mocha's report is read", () => {
  const report = {
    passes: [{ fullTitle: "a b" }],
    failures: [{ fullTitle: "a c", err: { stack: "why" } }],
  };
  expect(mochaOutcomesOf(report)).toEqual([passed("a b"), failed("a c")]);
  expect(mochaOutcomesOf("nonsense")).toEqual([]);
});

import { expect, test } from "vitest";

import { referenceFaults, sourceReferencesOf } from "./source-references.ts";

const LIMITS = { paths: 1, maxSteps: 2 };
const SOURCES: Readonly<Record<string, string>> = {
  "./a.ts": "/** Not `hidden`. */\nexport function one(): void {} // not other\n",
  "./b.ts": "class Two {\n  #three = 1;\n}\n",
};

function faultsOf(...lines: string[]): string[] {
  return referenceFaults(sourceReferencesOf(lines.join("\n")), (file) => SOURCES[file], LIMITS);
}

test("finds the lines that link to sources, their names and their numbers", () => {
  expect(
    sourceReferencesOf("text `no`\n\n2. [a](../a.ts) and [b](b.ts): `One`, `two words`"),
  ).toEqual([{ line: 3, files: ["../a.ts", "b.ts"], names: ["One"], step: 2 }]);
});

test("names that are in a file of their line are fine", () => {
  expect(faultsOf("1. [a](./a.ts): `one`", "2. [b](./b.ts): `three`", "", "- [b](./b.ts)")).toEqual(
    [],
  );
  expect(
    faultsOf("1. [a](./a.ts): `one`", "", "[a](./a.ts) and [b](./b.ts): `one`, `Two`"),
  ).toEqual([]);
});

test.each([
  ["a name that the file does not have", "1. [a](./a.ts): `One`", "1: ./a.ts has no One"],
  ["a name in a comment", "1. [a](./a.ts): `hidden`, `other`", "1: ./a.ts has no hidden"],
  ["a part of a name", "1. [a](./b.ts): `thre`", "1: ./b.ts has no thre"],
  ["a file that is not there", "1. [c](./c.ts): `one`", "1: ./c.ts has no one"],
  ["a step without a name", "1. [a](./a.ts): does it", "1: a step is one file and what is in it"],
  ["no path at all", "- [a](./a.ts): `one`", "1: there are 0 paths and not 1"],
])("%s is a fault", (_title, line, fault) => {
  expect(faultsOf(line)).toContain(fault);
});

test("a path that is too long is a fault", () => {
  const step = "[a](./a.ts): `one`";
  expect(faultsOf(`1. ${step}`, `2. ${step}`, `3. ${step}`)).toEqual([
    "3: a path has at most 2 files",
  ]);
});

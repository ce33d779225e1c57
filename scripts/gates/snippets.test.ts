import { expect, test } from "vitest";

import { fileLinksOf, snippetsOf } from "./snippets.ts";

const DOCUMENT = [
  "# Title",
  "",
  "See [one](./one.md#part), [two](../two.md), [web](https://localhost/x.md) and [here](#title).",
  "`[code](./code.md)` is no link.",
  "",
  "```ts",
  "const [a](./inside.md);",
  "```",
  "",
  "```sh",
  "npm start",
  "npm test",
  "```",
  "",
  "```",
  "plain",
  "```",
  "[three](three.md)",
].join("\n");

test("finds fenced blocks with a language, and where their code begins", () => {
  expect(snippetsOf(DOCUMENT)).toEqual([
    { language: "ts", code: "const [a](./inside.md);\n", line: 7 },
    { language: "sh", code: "npm start\nnpm test\n", line: 11 },
  ]);
});

test("finds links to files outside of code, without their anchors", () => {
  expect(fileLinksOf(DOCUMENT)).toEqual([
    { path: "./one.md", line: 3 },
    { path: "../two.md", line: 3 },
    { path: "three.md", line: 18 },
  ]);
});

test("a text without blocks and links has none", () => {
  expect(snippetsOf("text")).toEqual([]);
  expect(fileLinksOf("text (not) [a] link")).toEqual([]);
});

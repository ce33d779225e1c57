import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readConfigFile } from "./config-file.ts";
import type { FileSettings } from "./config-file.ts";

const directory = mkdtempSync(join(tmpdir(), "multipooler config-file "));
afterAll(() => rmSync(directory, { recursive: true }));
writeFileSync(join(directory, "pooler.yml"), "cell: zone2\n");

const KNOWN = { known: new Set(["cell", "users"]), lists: new Set(["users"]) };
const absent = join(directory, "absent.yaml");

test("a file is found by its name in one of the directories", () => {
  const directories = `${join(directory, "nowhere")},${directory}`;
  expect(readConfigFile({ name: "pooler", directories }, KNOWN)).toEqual({
    path: join(directory, "pooler.yml"),
    values: { cell: "zone2" },
    lines: new Map([["cell", 1]]),
    problems: [],
    warning: undefined,
  });
});

test("a path is before a name", () => {
  const { problems } = readConfigFile(
    { path: absent, name: "pooler", directories: directory },
    KNOWN,
  );
  expect(problems).toEqual([expect.stringContaining("absent.yaml")]);
});

const NOTHING: FileSettings = {
  path: undefined,
  values: {},
  lines: new Map(),
  problems: [],
  warning: undefined,
};
const MESSAGE = expect.stringMatching(/^--config-file: /);

test.each<[whenMissing: string | undefined, expected: FileSettings]>([
  [undefined, { ...NOTHING, problems: [MESSAGE] }],
  ["error", { ...NOTHING, problems: [MESSAGE] }],
  ["exit", { ...NOTHING, problems: [MESSAGE] }],
  ["warn", { ...NOTHING, warning: MESSAGE }],
  ["ignore", NOTHING],
])("a missing file where it is to %s", (whenMissing, expected) => {
  expect(readConfigFile({ path: absent, whenMissing }, KNOWN)).toEqual(expected);
  expect(readConfigFile({ name: "absent", directories: directory, whenMissing }, KNOWN)).toEqual(
    expected,
  );
});

test("a file that is there and cannot be read is never ignored", () => {
  const { problems } = readConfigFile({ path: directory, whenMissing: "ignore" }, KNOWN);
  expect(problems).toEqual([expect.stringMatching(/ is a directory$/)]);
});

test("words that mean nothing are refused", () => {
  const place = { type: "toml", whenMissing: "shrug" };
  expect(readConfigFile(place, KNOWN).problems).toEqual([
    '--config-type: "toml" is none of yaml, yml, json',
    '--config-file-not-found-handling: "shrug" is none of error, exit, warn, ignore',
  ]);
});

test("a list is written as YAML has it, or with commas; other values are none", () => {
  const read = (content: string): FileSettings => {
    const path = join(directory, "list.yaml");
    writeFileSync(path, content);
    return readConfigFile({ path }, KNOWN);
  };
  expect(read("users: [a, b]").values).toEqual({ users: "a,b" });
  expect(read("users: a,b").values).toEqual({ users: "a,b" });
  expect(read("cell: [a]").problems).toEqual([
    expect.stringContaining("must be a text or a number"),
  ]);
  expect(read("users: [{}]").problems).toHaveLength(1);
});

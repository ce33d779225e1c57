import { expect, test } from "vitest";
import { parseConditions } from "./parse-conditions.ts";
import { StatementRegistry } from "./statement-registry.ts";

test("a name stands for a text, its types and the settings that it is parsed under", () => {
  const registry = new StatementRegistry();
  const name = (sql: string, parameterTypes: readonly number[], conditions = ""): string =>
    registry.find({ sql, parameterTypes }, conditions).name;
  const first = name("select $1", [23]);
  expect(name("select $1", [23])).toBe(first);
  const others = [
    name("select $1", [25]),
    name("select $1", []),
    name("select $1", [23, 0]),
    name("select $1 ", [23]),
    name("select $1", [23], "elsewhere"),
  ];
  expect(new Set([first, ...others]).size).toBe(6);
  expect(name("select $1", [23], "elsewhere")).toBe(others.at(-1));
});

test("a name is never used again, however many are forgotten", () => {
  const registry = new StatementRegistry();
  const names = Array.from(
    { length: 30_000 },
    (_, n) => registry.find({ sql: `select ${n}`, parameterTypes: [] }, "").name,
  );
  names.push(registry.find({ sql: "select 0", parameterTypes: [] }, "").name);
  expect(new Set(names).size).toBe(30_001);
});

test("of one text a bounded number of variants is remembered", () => {
  const registry = new StatementRegistry();
  const find = (oid: number): string =>
    registry.find({ sql: "select $1", parameterTypes: [oid] }, "").name;
  const names = Array.from({ length: 17 }, (_, oid) => find(oid));
  expect(find(16)).toBe(names[16]);
  expect(names).not.toContain(find(0));
});

test("a statement is outdated once, however many find out", () => {
  const registry = new StatementRegistry();
  const statement = registry.find({ sql: "select 1", parameterTypes: [] }, "");
  registry.outdated(statement, 0);
  registry.outdated(statement, 0);
  expect(statement.generation).toBe(1);
});

test("the settings that change the meaning of a text count, in any order and case", () => {
  const key = (...settings: [string, string][]): string => parseConditions(new Map(settings));
  expect(key()).toBe("");
  expect(key(["application_name", "psql"], ["Work_Mem", "1MB"])).toBe("");
  expect(key(["search_path", "a"], ["DateStyle", "ISO, DMY"])).toBe(
    key(["datestyle", "ISO, DMY"], ["application_name", "psql"], ["Search_Path", "a"]),
  );
  expect(key(["search_path", "a"])).not.toBe(key(["search_path", "b"]));
});

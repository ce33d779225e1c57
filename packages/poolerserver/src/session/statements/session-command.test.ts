import { toSqlText } from "@multipooler/pgwire";
import { expect, test } from "vitest";
import { readCommand } from "./session-command.ts";

function read(text: string): ReturnType<typeof readCommand> {
  return readCommand(toSqlText(text));
}

test.each<[string, Record<string, "set" | "reset">]>([
  ["set work_mem = '1MB'", { work_mem: "set" }],
  ["SET Work_Mem TO 1", { work_mem: "set" }],
  ['set session "app"."X" = a, b', { "app.x": "set" }],
  ["set local work_mem = 1", {}],
  ["set session = 1", { session: "set" }],
  ["set transaction read only", {}],
  [
    "set session characteristics as transaction read only",
    {
      default_transaction_isolation: "set",
      default_transaction_read_only: "set",
      default_transaction_deferrable: "set",
    },
  ],
  ["set time zone local", { timezone: "reset" }],
  ["set time zone interval '-08:00' hour to minute", { timezone: "set" }],
  ["set names 'utf8'", { client_encoding: "set" }],
  ["set schema 'x'", { search_path: "set" }],
  ["set role none", { role: "reset" }],
  ["set session role r", { role: "set" }],
  ["set session authorization default", { session_authorization: "reset", role: "reset" }],
  ["set x to default", { x: "reset" }],
  ["reset time zone", { timezone: "reset" }],
  ["reset a.b", { "a.b": "reset" }],
  ["reset session authorization", { session_authorization: "reset", role: "reset" }],
  ["begin; set a = 1; select 1; reset b; commit", { a: "set", b: "reset" }],
  [
    "select set_config('A.b', 'x' , false) as c, pg_catalog.set_config('d', null, true)",
    {
      "a.b": "set",
      d: "set",
    },
  ],
])("%s changes what it names", (text, names) => {
  const command = read(text);
  expect(command?.type).toBe("settings");
  if (command?.type === "settings") {
    expect(Object.fromEntries(command.changes.names)).toEqual(names);
    expect(command.changes.resetsAll).toBe(false);
  }
});

test("RESET ALL takes back what was set before it", () => {
  expect(read("set a = 1; reset all; set b = 2")).toEqual({
    type: "settings",
    changes: { names: new Map([["b", "set"]]), resetsAll: true },
    resets: [{ names: "all", statement: 1, end: 20 }],
    channels: [],
    others: [],
  });
});

test("what stands beside changes of settings is told apart from them", () => {
  expect(read("set a = 'ü'; select 'ü'; reset b; do $$ $$; set seed = 0.5")).toMatchObject({
    type: "settings",
    changes: {
      names: new Map([
        ["a", "set"],
        ["b", "reset"],
      ]),
    },
    resets: [{ names: ["b"], statement: 2 }],
    others: ["select 'ü'", "do $$ $$", "set seed = 0.5"],
  });
});

test("changes of channels are read among other statements", () => {
  expect(read('listen a; unlisten "B"; unlisten *')).toEqual({
    type: "channels",
    channels: [
      { type: "listen", channel: "a" },
      { type: "unlisten", channel: "B" },
      { type: "unlistenAll" },
    ],
    others: [],
  });
  const channels = [{ type: "unlistenAll" }];
  expect(read("select 1; unlisten *; close all")).toEqual({
    type: "channels",
    channels,
    others: ["select 1", "close all"],
  });
  expect(read("close all; unlisten *; reset all")).toMatchObject({
    type: "settings",
    channels,
    others: ["close all"],
  });
  expect(read("listen a.b; reset all")).toBe(undefined);
});

test.each([
  "set seed = 0.5",
  "set seed to 0.5",
  "select set_config('seed', '0.5', false)",
  "select set_config(name, 'x', false) from t",
  "select set_config('a' || 'b', 'x', false)",
  "select set_config('a', sly(), false)",
  "select set_config('a', b, false) from sly",
  "do $$ begin end $$",
  "set a = 'x\\'; set b = 'y'",
  "discard plans",
  "discard all; select 1",
  "prepare transaction 'x'",
  "prepare a as select 1; execute a",
  "execute a(1) ; select 1",
  "deallocate a, b",
  `set a = '${"x".repeat(70_000)}'`,
])("%s is not carried along", (text) => {
  expect(read(text)).toBeUndefined();
});

test.each([
  ["discard ALL;", { type: "discardAll" }],
  ["/* x */ deallocate prepare all", { type: "deallocateAll" }],
  ["deallocate prepare", { type: "deallocate", name: "prepare" }],
  ['deallocate prepare "A""b"', { type: "deallocate", name: 'A"b' }],
  ["execute Q", { type: "execute", name: "q", suffix: "" }],
  ["execute q (1, 'ü;')", { type: "execute", name: "q", suffix: "(1, 'ü;')" }],
  ["prepare q as select 'ü' ; ", { type: "prepare", name: "q", body: "select 'ü'" }],
  ["prepare q (numeric(3, 2), int[]) as select $1", { type: "prepare", body: "select $1" }],
])("%s is a command", (text, expected) => {
  expect(read(text)).toMatchObject(expected);
});

test("the name of a command is found where it stands, in bytes", () => {
  const text = '/* üüü */ prepare  "Ü"  (int) as select $1';
  const command = read(text);
  expect.assert(command?.type === "prepare");
  const bytes = Buffer.from(text);
  expect(bytes.toString("utf8", command.start, command.end)).toBe('"Ü"');
  expect(command.prepare).toEqual({ head: "prepare  ", tail: "  (int) as select $1" });
});

import { expect, test } from "vitest";
import { canBecome, labelDifference } from "./label-difference.ts";
import { LabelSettings, NO_SETTINGS } from "./label-settings.ts";

const INITIAL = new Map([["application_name", "pooler"]]);

function settings(values: Readonly<Record<string, string>>): LabelSettings {
  return new LabelSettings(new Map(Object.entries(values)));
}

function callsOf(from: LabelSettings, to: LabelSettings): string[] {
  const session = { settings: from, initialParameters: INITIAL, hadState: false };
  const [sql = ""] = labelDifference(session, to, () => undefined)?.statements ?? [];
  return [...sql.matchAll(/set_config\((.*?), false\)/g)].map(([, call = ""]) => call);
}

test.each<[string, Record<string, string>, Record<string, string>, string[]]>([
  ["nothing", { a: "1" }, { a: "1" }, []],
  ["what is new, in order", {}, { b: "2", a: "1" }, ["E'a', E'1'", "E'b', E'2'"]],
  ["what has changed", { a: "1", b: "2" }, { a: "1", b: "3" }, ["E'b', E'3'"]],
  ["what is gone", { a: "1", b: "2" }, { b: "2" }, ["E'a', NULL"]],
  [
    "who it is, first when it goes and last when it comes",
    { role: "r", session_authorization: "s", a: "1" },
    { role: "t", session_authorization: "u", z: "1" },
    [
      "E'role', NULL",
      "E'session_authorization', NULL",
      "E'a', NULL",
      "E'z', E'1'",
      "E'session_authorization', E'u'",
      "E'role', E't'",
    ],
  ],
  [
    "the same role again: it may have been dropped",
    { role: "r" },
    { role: "r" },
    ["E'role', NULL", "E'role', E'r'"],
  ],
  ["quotes and backslashes", {}, { a: "\\'; drop" }, ["E'a', E'\\\\\\'; drop'"]],
])("the difference is %s", (_, from, to, calls) => {
  expect(callsOf(settings(from), settings(to))).toEqual(calls);
});

test("it says what the server is going to report", () => {
  const session = {
    settings: settings({ application_name: "psql", work_mem: "1MB" }),
    initialParameters: INITIAL,
    hadState: false,
  };
  const { reports } =
    labelDifference(session, settings({ timezone: "UTC" }), () => undefined) ?? {};
  expect(reports).toEqual(
    new Map([
      ["application_name", "pooler"],
      ["work_mem", undefined],
      ["timezone", "UTC"],
    ]),
  );
});

interface Change {
  readonly hadState?: boolean;
  readonly from?: LabelSettings;
  readonly to?: LabelSettings;
}

test.each<[string, Change, boolean]>([
  ["other settings", { from: settings({ a: "1" }), to: settings({ b: "1" }) }, true],
  ["temp_buffers", { to: settings({ temp_buffers: "9MB" }) }, true],
  ["temp_buffers after tables", { hadState: true, to: settings({ temp_buffers: "9MB" }) }, false],
  ["none after tables", { hadState: true, from: settings({ temp_buffers: "9MB" }) }, false],
  ["from UTF-8", { from: settings({ client_encoding: "utf-8" }) }, true],
  ["from another encoding", { from: settings({ client_encoding: "LATIN1" }) }, true],
  [
    "from another encoding to what is written otherwise there",
    {
      from: settings({ client_encoding: "LATIN1" }),
      to: settings({ application_name: "é" }),
    },
    false,
  ],
  ["from one that hides quotes", { from: settings({ client_encoding: "SJIS" }) }, false],
])("whether a session can become another: %s", (_, change, expected) => {
  const { hadState = false, from = NO_SETTINGS, to = NO_SETTINGS } = change;
  expect(canBecome({ settings: from, initialParameters: INITIAL, hadState }, to)).toBe(expected);
});

import fc from "fast-check";
import { expect, test } from "vitest";
import {
  bind,
  copyData,
  copyDone,
  describe,
  execute,
  extended,
  flush,
  message as messageOf,
  parse,
  query,
  sync,
  terminate,
  unknownMessage,
} from "@multipooler/conversations";
import { ManualClock } from "@multipooler/timing/testing";
import type { Classification } from "../../classification/classification.ts";
import { Taint } from "../../classification/taint.ts";
import { Labels } from "../../pool/labels.ts";
import { SessionSettings } from "../settings/session-settings.ts";
import { StatementCounts } from "../../statements/statement-counts.ts";
import { ClientStatements } from "../statements/client-statements.ts";
import { OwnStatements } from "../statements/own-statements.ts";
import { UnfinishedGroups } from "./unfinished-groups.ts";
import { UnitCutter } from "./unit-cutter.ts";
import type { Cut } from "./unit-cutter.ts";

const PLAIN: Classification = {
  statements: 1,
  sharing: "shareable",
  taint: Taint.None,
  certainTaint: Taint.None,
  ddl: false,
  copy: undefined,
  opensTransaction: false,
  endsTransaction: false,
  deallocates: false,
  makesTemporary: false,
  setsLocally: false,
  escapes: undefined,
};
const TEXTS: Readonly<Record<string, Classification>> = {
  read: PLAIN,
  write: { ...PLAIN, sharing: "mayWait" },
  set: { ...PLAIN, sharing: "exclusive", taint: Taint.Settings, certainTaint: Taint.Settings },
  copy: { ...PLAIN, sharing: "exclusive", copy: "in" },
};

function newCutter(maxGroupBytes = 1000): UnitCutter {
  return new UnitCutter({
    groups: new UnfinishedGroups(new ManualClock()),
    onGroupDue: () => undefined,
    classifier: { classify: (text) => TEXTS[text] ?? PLAIN },
    statements: new ClientStatements(
      { maxStatements: 100, maxStatementBytes: 10_000 },
      new StatementCounts(),
    ),
    settings: new SessionSettings({
      labels: new Labels({ user: "app", settingsCacheSize: 10 }),
      user: "",
      keys: undefined,
      settings: new Map(),
      loginUser: "app",
    }),
    hold: {
      own: new OwnStatements(),
      isStateful: false,
      isOtherEncoding: undefined,
      transaction: "I",
    },
    maxGroupBytes,
  });
}

/** Everything that can be cut from messages, as texts. */
function cutAll(cutter: UnitCutter): string[] {
  const cuts: string[] = [];
  for (;;) {
    const cut: Cut = cutter.next();
    if (cut === "none") {
      return cuts;
    }
    cuts.push(cut === "unit" ? cutter.bytes.toString("latin1") : cut);
    if (cut === "broken" || cut === "terminate") {
      return cuts;
    }
  }
}

/** The messages of a run, one by one. */
function messagesOf(bytes: Buffer): Buffer[] {
  const messages: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + 1 + bytes.readInt32BE(at + 1);
    messages.push(bytes.subarray(at, end));
    at = end;
  }
  return messages;
}

const unit = fc.oneof(
  fc.string().map((text) => query(text.replaceAll("\0", ""))),
  fc.constantFrom(
    extended("read"),
    Buffer.concat([parse("read"), bind(), describe("P"), execute(), execute(), sync]),
    Buffer.concat([parse("a", "named"), sync]),
    sync,
  ),
);

test("units are the same however the messages are spread over writes", () => {
  fc.assert(
    fc.property(fc.array(unit), fc.array(fc.boolean()), (units, breaks) => {
      const cutter = newCutter(100_000);
      const cuts: string[] = [];
      let pending: Buffer[] = [];
      for (const [index, message] of units.flatMap(messagesOf).entries()) {
        pending.push(message);
        if (breaks[index % Math.max(1, breaks.length)] === true) {
          cutter.input.push(Buffer.concat(pending));
          pending = [];
          cuts.push(...cutAll(cutter));
        }
      }
      cutter.input.push(Buffer.concat(pending));
      cuts.push(...cutAll(cutter));
      expect(cuts).toEqual(units.map((bytes) => bytes.toString("latin1")));
      expect(cutter.input.keptBytes).toBe(0);
    }),
  );
});

test.for([
  { unit: "a read", bytes: query("read"), kind: "shareable", reserves: false },
  { unit: "a write", bytes: query("write"), kind: "mayWait", reserves: false },
  { unit: "a setting", bytes: query("set"), kind: "exclusive", reserves: true },
  { unit: "a group", bytes: extended("read"), kind: "shareable", reserves: false },
  {
    unit: "a group that reads and writes",
    bytes: Buffer.concat([parse("write"), bind(), execute(), extended("read")]),
    kind: "mayWait",

    reserves: false,
  },
  {
    unit: "a named statement",
    bytes: Buffer.concat([parse("read", "s"), sync]),
    kind: "shareable",
    reserves: false,
  },
  {
    unit: "a use of a named statement",
    bytes: Buffer.concat([parse("write", "s"), bind([], { statement: "s" }), execute(), sync]),
    kind: "mayWait",
    reserves: false,
  },
  {
    unit: "a statement that is parsed for later",
    bytes: Buffer.concat([parse("read"), describe("S"), sync]),
    kind: "shareable",
    reserves: false,
  },
  { unit: "a Sync", bytes: sync, kind: "shareable", reserves: false },
] as const)("$unit is $kind", ({ bytes, kind, reserves }) => {
  const cutter = newCutter();
  cutter.input.push(bytes);
  expect(cutter.next()).toBe("unit");
  expect(cutter.facts).toMatchObject({ kind, reserves, isOpen: false });
});

test("a group with a Flush, or beyond the bound, is cut before its Sync", () => {
  const cutter = newCutter();
  cutter.input.push(Buffer.concat([parse("read"), bind(), flush]));
  expect(cutter.next()).toBe("unit");
  expect(cutter.facts).toMatchObject({ isOpen: true, kind: "exclusive" });
  const long = newCutter(450);
  long.input.push(parse("read"));
  expect(long.next()).toBe("none");
  long.input.push(Buffer.concat([bind(), execute(), bind(), execute()]));
  expect(long.next()).toBe("unit");
  expect(long.facts.isOpen).toBe(true);
});

test("a Flush inside a whole group changes nothing", () => {
  const cutter = newCutter();
  const group = Buffer.concat([parse("read"), flush, bind(), execute(), sync]);
  cutter.input.push(group);
  expect(cutAll(cutter)).toEqual([group.toString("latin1")]);
  expect(cutter.facts.isOpen).toBe(false);
});

test("what is left of a COPY, and a Flush of nothing, is passed over", () => {
  const cutter = newCutter();
  cutter.input.push(Buffer.concat([copyData("1"), copyDone, flush, query("read")]));
  expect(cutAll(cutter)).toEqual([query("read").toString("latin1")]);
});

test("an error skips to the Sync, and over nothing behind it", () => {
  const cutter = newCutter();
  cutter.skipToSync();
  cutter.input.push(Buffer.concat([bind(), query("write"), execute(), sync, query("read")]));
  expect(cutAll(cutter)).toEqual(["skipped", query("read").toString("latin1")]);
});

test.for([
  { what: "an unknown type", bytes: unknownMessage() },
  { what: "a length below 4", bytes: Buffer.from("Q\0\0\0\u0003") },
  { what: "a length beyond the bytes", bytes: Buffer.from("Q\0\0\0\u0010abc\0") },
  { what: "a negative length", bytes: Buffer.from([0x51, 0xff, 0xff, 0xff, 0xff, 0]) },
  { what: "a header that is cut off", bytes: Buffer.from("Q\0\0") },
])("$what ends the conversation", ({ bytes }) => {
  const cutter = newCutter();
  cutter.input.push(Buffer.concat([query("read"), bytes]));
  expect(cutAll(cutter)).toEqual([query("read").toString("latin1"), "broken"]);
  expect(cutter.problem).not.toBe("");
});

test.each([
  { what: "a Query", call: query("read") },
  { what: "a FunctionCall", call: messageOf("F", "what") },
])(
  "$what behind messages of the extended protocol ends their unit, which stays open for a Sync",
  ({ call }) => {
    const cutter = newCutter();
    const group = Buffer.concat([parse("read"), bind(), execute()]);
    cutter.input.push(Buffer.concat([group, call]));
    expect(cutter.next()).toBe("unit");
    expect(cutter.bytes).toEqual(Buffer.concat([group, call]));
    expect(cutter.facts).toMatchObject({ isOpen: true, endsInCall: true, replies: 3 });
  },
);

test("Terminate comes in its turn", () => {
  const cutter = newCutter();
  cutter.input.push(Buffer.concat([query("read"), terminate]));
  expect(cutAll(cutter)).toEqual([query("read").toString("latin1"), "terminate"]);
});

test("whatever the bytes are, nothing is thrown and no unit is made up", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const cutter = newCutter();
      cutter.input.push(bytes);
      const cuts = cutAll(cutter).filter((cut) => !["broken", "terminate"].includes(cut));
      expect(Buffer.from(bytes).toString("latin1")).toContain(cuts.join(""));
    }),
  );
});

test("a group whose Sync was waited for in vain is a unit, and the rest belongs to it", () => {
  const cutter = newCutter();
  cutter.input.push(Buffer.concat([parse("select 1"), bind()]));
  expect(cutter.next()).toBe("none");
  cutter.runGroup();
  expect(cutter.next()).toBe("unit");
  expect(cutter.facts.isOpen).toBe(true);
  cutter.runGroup();
  cutter.input.push(query("select 2"));
  expect(cutter.next()).toBe("unit");
  expect(cutter.facts.isOpen).toBe(false);
});

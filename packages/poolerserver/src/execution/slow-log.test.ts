import { expect, test } from "vitest";
import { SlowLog } from "./slow-log.ts";
import type { SlowLimits } from "./slow-log.ts";

const CALLER = { user: "boss", origin: "10.0.0.7:1" } as const;
const NO_PARAMETERS = { parameters: () => undefined };

function scene(limits: Partial<SlowLimits> = {}): {
  readonly slow: SlowLog;
  readonly lines: unknown[];
  readonly clock: { now: number; looks: number };
} {
  const lines: unknown[] = [];
  const clock = { now: 1000, looks: 0 };
  const slow = new SlowLog({
    limits: {
      slowStatementMs: 100,
      slowWaitMs: 50,
      slowTextLength: 10,
      slowParameterLength: 0,
      ...limits,
    },
    database: "shop",
    clock: {
      now: () => 0,
      monotonic: () => {
        clock.looks += 1;
        return clock.now;
      },
      setTimer: () => ({ cancel: () => undefined }),
    },
    logger: { info: (fields, message) => void lines.push([message, fields]) },
  });
  return { slow, lines, clock };
}

test("what took the limit or longer is logged, with a part of its text", () => {
  const { slow, lines, clock } = scene();
  const begun = slow.begun();
  clock.now += 99.9;
  slow.ended(begun, { ...CALLER, ...NO_PARAMETERS, text: "select 1" });
  expect(lines).toEqual([]);
  clock.now += 0.1;
  slow.ended(begun, { ...CALLER, ...NO_PARAMETERS, text: "select 12345" });
  expect(lines).toEqual([
    [
      "a slow statement",
      { database: "shop", ...CALLER, durationMs: 100, statement: "select 123…" },
    ],
  ]);
});

test("a wait that took the limit or longer is logged", () => {
  const { slow, lines } = scene();
  slow.waited(49.9, CALLER);
  slow.waited(50.4, CALLER);
  expect(lines).toEqual([
    ["a slow wait for a connection", { database: "shop", ...CALLER, waitMs: 50 }],
  ]);
});

test("0 switches each of them off, and nobody looks at the clock", () => {
  const { slow, lines, clock } = scene({ slowStatementMs: 0, slowWaitMs: 0 });
  slow.ended(slow.begun(), { ...CALLER, ...NO_PARAMETERS, text: "select 1" });
  slow.waited(1e6, CALLER);
  expect({ lines, looks: clock.looks }).toEqual({ lines: [], looks: 0 });
});

test("no text is logged where none may be", () => {
  const { slow, lines, clock } = scene({ slowTextLength: 0 });
  const begun = slow.begun();
  clock.now += 1000;
  slow.ended(begun, { ...CALLER, ...NO_PARAMETERS, text: "select 'secret'" });
  expect(JSON.stringify(lines)).not.toContain("secret");
  expect(lines).toHaveLength(1);
});

test("a flood is cut, and the next second tells how much of it", () => {
  const { slow, lines, clock } = scene();
  for (let count = 0; count < 100; count += 1) {
    slow.waited(60, CALLER);
  }
  expect(lines).toHaveLength(20);
  clock.now += 1000;
  slow.waited(60, CALLER);
  expect(lines.at(-1)).toEqual([
    "a slow wait for a connection",
    { database: "shop", ...CALLER, waitMs: 60, leftOut: 80 },
  ]);
  slow.waited(60, CALLER);
  expect(lines.at(-1)).toEqual([expect.anything(), expect.not.objectContaining({ leftOut: 80 })]);
});

test("values of parameters are logged if that was asked for, and else not even looked at", () => {
  const bytes = (text: string): Uint8Array => Buffer.from(text);
  const parameters = [bytes("short"), null, bytes("too long for it"), bytes("\u0001\u0002")];
  const bound = { parameters, parameterFormats: [0, 0, 0, 1] };
  const { slow, lines, clock } = scene({ slowParameterLength: 6 });
  const begun = slow.begun();
  clock.now += 100;
  slow.ended(begun, { ...CALLER, text: "", parameters: () => bound });
  expect(lines).toEqual([
    [
      "a slow statement",
      expect.objectContaining({ parameters: ["short", null, "too lo…", "\\x0102"] }),
    ],
  ]);
  const silent = scene();
  const began = silent.slow.begun();
  silent.clock.now += 100;
  const refuse = (): never => {
    throw new Error("asked");
  };
  silent.slow.ended(began, { ...CALLER, text: "", parameters: refuse });
  expect(JSON.stringify(silent.lines)).not.toContain("parameters");
});

test("of many parameters the first are logged, and how many are left", () => {
  const parameters = Array.from({ length: 60 }, (_, index) => Buffer.from(String(index)));
  const { slow, lines, clock } = scene({ slowParameterLength: 6 });
  const begun = slow.begun();
  clock.now += 100;
  slow.ended(begun, {
    ...CALLER,
    text: "",
    parameters: () => ({ parameters, parameterFormats: [] }),
  });
  expect(JSON.stringify(lines)).toContain('"49","… 10 more"]');
});

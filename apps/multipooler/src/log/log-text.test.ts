import { expect, test } from "vitest";
import { logText } from "./log-text.ts";

const HEAD = { level: 30, time: "2026-01-02T03:04:05.678Z" };

test.each<[object, string]>([
  [
    { ...HEAD, address: "127.0.0.1", port: 15_200, msg: "HTTP listens" },
    "INFO HTTP listens address=127.0.0.1 port=15200",
  ],
  [{ ...HEAD, level: 40, msg: "x" }, "WARN x"],
  [{ ...HEAD, level: 35, msg: "x" }, "35 x"],
  [
    { ...HEAD, from: { status: "SERVING" }, reason: "it left\nus", msg: "two\nlines" },
    String.raw`INFO "two\nlines" from={"status":"SERVING"} reason="it left\nus"`,
  ],
  [
    { ...HEAD, user: "\u001B[2J\u009B2J", of: { path: "\u007F" }, msg: "\u009B2J" },
    String.raw`INFO "\x9b2J" user="\u001b[2J\x9b2J" of={"path":"\x7f"}`,
  ],
  [{ ...HEAD, empty: "", odd: "a=b", none: null, msg: "x" }, 'INFO x empty="" odd="a=b" none=null'],
])("%j is a line for people", (line, expected) => {
  expect(logText(`${JSON.stringify(line)}\n`)).toBe(`${HEAD.time} ${expected}\n`);
});

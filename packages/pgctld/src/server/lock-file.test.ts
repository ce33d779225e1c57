import { expect, test } from "vitest";
import { parseLockFile } from "./lock-file.ts";

const WHOLE = [
  "4711",
  "/var/lib/postgresql/data",
  "1767225600",
  "5432",
  "/run/postgresql",
  "127.0.0.1",
  "  4210793   1",
  "ready   ",
  "",
];

test("reads what a server says of itself", () => {
  expect(parseLockFile(WHOLE.join("\n"))).toEqual({
    pid: 4711,
    startedAt: new Date("2026-01-01T00:00:00Z"),
    port: 5432,
    socketDir: "/run/postgresql",
    status: "ready",
  });
});

test("reads as much as was written, however little", () => {
  for (let lines = 1; lines < WHOLE.length; lines += 1) {
    const found = parseLockFile(WHOLE.slice(0, lines).join("\n"));
    expect(found).toMatchObject({ pid: 4711, status: lines < 8 ? undefined : "ready" });
  }
});

test("reads the PID of a single-user server, which is negative", () => {
  expect(parseLockFile("-4711\n/data\n1767225600\n0\n")).toMatchObject({
    pid: 4711,
    port: undefined,
    status: undefined,
  });
});

test.each(["", "\n", "0\n", "postgres\n"])("finds no process in %j", (text) => {
  expect(parseLockFile(text)).toBeUndefined();
});

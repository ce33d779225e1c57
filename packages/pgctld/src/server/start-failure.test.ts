import { expect, test } from "vitest";
import { classifyStartFailure, startError } from "./start-failure.ts";

const WHERE = { dataDir: "/data", port: 5432 };

const CASES = [
  {
    name: "a taken port",
    log: [
      "2026-01-01 00:00:00.000 UTC [7] LOG:  starting PostgreSQL 17.10",
      '2026-01-01 00:00:00.000 UTC [7] LOG:  could not bind IPv4 address "127.0.0.1": Address already in use',
      "2026-01-01 00:00:00.000 UTC [7] HINT:  Is another postmaster already running on port 5432?",
      "2026-01-01 00:00:00.000 UTC [7] FATAL:  could not create any TCP/IP sockets",
    ],
    failure: { kind: "port-in-use" },
    code: "PORT_IN_USE",
    message: /port 5432/,
  },
  {
    name: "a data directory with a live server",
    log: [
      '2026-01-01 00:00:00.000 UTC [8] FATAL:  lock file "postmaster.pid" already exists',
      '2026-01-01 00:00:00.000 UTC [8] HINT:  Is another postmaster (PID 4711) running in data directory "/data"?',
    ],
    failure: { kind: "locked", pid: 4711 },
    code: "ALREADY_RUNNING",
    message: /process 4711/,
  },
  {
    name: "children of a killed server",
    log: [
      "2026-01-01 00:00:00.000 UTC [9] FATAL:  pre-existing shared memory block (key 1, ID 2) is still in use",
      '2026-01-01 00:00:00.000 UTC [9] HINT:  Terminate any old server processes associated with data directory "/data".',
    ],
    failure: { kind: "orphans" },
    code: "ALREADY_RUNNING",
    message: /\/data/,
  },
  {
    name: "anything else, as PostgreSQL's own words on one line",
    log: [
      '2026-01-01 00:00:00.000 UTC [9] FATAL:  data directory "/data" has invalid permissions',
      "2026-01-01 00:00:00.000 UTC [9] DETAIL:  Permissions should be u=rwx (0700).",
    ],
    failure: { kind: "other" },
    code: "START_FAILED",
    message:
      /^PostgreSQL did not start on \/data: data directory "\/data" has invalid permissions Permissions should be u=rwx \(0700\)\.$/,
  },
  {
    name: "a log without a fatal line, whole",
    log: ["one", "two"],
    failure: { kind: "other" },
    code: "START_FAILED",
    message: /one; two$/,
  },
];

test.each(CASES)("tells $name from the log", ({ log, failure, code, message }) => {
  expect(classifyStartFailure(log)).toEqual(failure);
  const error = startError(classifyStartFailure(log), { ...WHERE, log });
  expect(error).toMatchObject({ name: "PgctldError", code });
  expect(error.message).toMatch(message);
});

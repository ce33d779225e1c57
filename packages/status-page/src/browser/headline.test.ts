import { expect, test } from "vitest";
import type { ServingReport, StatusReport } from "../report.ts";
import { roleOf, statusWords, toneOf, wantedTitle, whyText, windowTitle } from "./headline.ts";

function serving(status: string): ServingReport {
  return { status, role: "PRIMARY", reason: "" };
}

function report(changes: Partial<StatusReport>): StatusReport {
  return {
    at: "2026-01-01T00:00:00Z",
    version: "1.0.0",
    startedAt: "2026-01-01T00:00:00Z",
    pooler: { cell: "zone1", name: "a", database: "d", tableGroup: "t", shard: "0-inf" },
    state: "ready",
    ready: true,
    notReady: undefined,
    type: "PRIMARY",
    term: undefined,
    current: serving("SERVING"),
    currentSince: undefined,
    wanted: undefined,
    intent: undefined,
    postgres: {
      address: "127.0.0.1:5432",
      reachable: true,
      error: undefined,
      version: "17.6",
      inRecovery: false,
      connectionsUsed: 1,
      connectionsLimit: 10,
    },
    replication: {
      mode: "off",
      lagMs: undefined,
      behindBytes: undefined,
      lastWrittenAt: undefined,
      error: undefined,
    },
    pools: [],
    morePools: 0,
    holders: [],
    moreHolders: 0,
    sample: {
      atMs: 0,
      requests: 0,
      transactions: 0,
      errors: 0,
      times: undefined,
      used: 0,
      waiting: 0,
      longestWaitMs: 0,
      bytes: 0,
      lagMs: undefined,
    },
    clients: { grpc: { open: 0, limit: 1, refused: 0 }, postgres: undefined },
    transitions: [],
    topology: {
      implementation: "memory",
      registered: true,
      typeSource: "none",
      ignoredType: undefined,
      error: undefined,
      peers: undefined,
      peersError: undefined,
    },
    ...changes,
  };
}

function unready(code: string): Partial<StatusReport> {
  return { ready: false, notReady: { code, reason: "", since: undefined } };
}

const INTENT = { status: "DRAINED", reason: "", since: undefined };

test.each([
  ["serves", {}, "good", "Serving"],
  ["serves reads", { current: serving("SERVING_RDONLY") }, "good", "Serving reads"],
  [
    "drains",
    { ...unready("DRAINED"), wanted: serving("DRAINED"), intent: INTENT },
    "busy",
    "Serving → drained",
  ],
  [
    "is drained",
    { ...unready("DRAINED"), current: serving("DRAINED"), intent: INTENT },
    "busy",
    "Drained",
  ],
  [
    "stops",
    { ...unready("STOPPING"), wanted: serving("NOT_SERVING") },
    "busy",
    "Stopping: serving → not serving",
  ],
  [
    "lost PostgreSQL",
    { ...unready("DATABASE_UNREACHABLE"), current: serving("NOT_SERVING") },
    "bad",
    "Not serving",
  ],
  ["waits for a standby", unready("COMMITS_WAIT"), "bad", "Serving, not ready"],
  ["cannot start", { ...unready("START_FAILED"), state: "error" }, "bad", "Cannot start"],
  ["has a status of a later version", { current: serving("LATER") }, "good", "LATER"],
] as const)("a pooler that %s", (_, changes, tone, words) => {
  const status = report(changes);
  expect([toneOf(status), statusWords(status)]).toEqual([tone, words]);
});

test("the title of the window tells what counts", () => {
  expect(windowTitle(report({}))).toBe("● zone1/a primary");
  expect(windowTitle(report(unready("DATABASE_UNREACHABLE")))).toBe("✖ zone1/a primary");
});

test.each([
  ["a primary whose PostgreSQL is down", "NOT_SERVING", "PRIMARY", "PRIMARY"],
  ["a primary that is drained", "DRAINED", "PRIMARY", "PRIMARY"],
  ["a former primary that serves reads", "SERVING_RDONLY", "PRIMARY", "REPLICA"],
  ["a pooler that has no type yet", "NOT_SERVING", "UNKNOWN", "REPLICA"],
])("%s is called what it is for those who look", (_, status, type, role) => {
  const current = { status, role: "REPLICA", reason: "" };
  expect(roleOf(report({ current, type }))).toBe(role);
});

test("why a status was served is no reason for leaving it", () => {
  const current = { status: "SERVING", role: "PRIMARY", reason: "the topology says PRIMARY" };
  const wanted = {
    status: "DRAINED",
    role: "REPLICA",
    reason: "drained by an operator: new disks",
  };
  expect(whyText(report({ current }))).toBe("the topology says PRIMARY");
  expect(whyText(report({ current, wanted }))).toBe("");
  expect(wantedTitle(wanted)).toBe("Wanted: DRAINED");
  expect(wantedTitle(current)).toBe("Wanted: SERVING as PRIMARY");
});

import { ManagerError } from "@multipooler/manager";
import type { ManagerStatus } from "@multipooler/manager";
import { StatusResponse } from "@multipooler/proto/manager-v1";
import { expect, test } from "vitest";
import { managerStatus } from "../../test/fake-manager.ts";
import { statusMessage } from "./manager-status-message.ts";

const message = (change: Partial<ManagerStatus> = {}): StatusResponse =>
  StatusResponse.decode(
    StatusResponse.encode(statusMessage({ ...managerStatus(), ...change }, "1.2.3")).finish(),
  );

test("a serving primary tells everything about itself", () => {
  expect(message()).toEqual({
    state: 2,
    errorMessage: "",
    ready: true,
    notReadyReason: "",
    notReadyCode: 0,
    notReadySinceTime: undefined,
    poolerId: { component: 1, cell: "zone1", name: "abc12345" },
    shardKey: { database: "postgres", tableGroup: "default", shard: "0-inf" },
    poolerType: 1,
    role: 1,
    serving: { current: 1, wanted: 0, reason: "the database is healthy" },
    routingTerm: { coordinatorTerm: 3n, leaderSubterm: 1n },
    database: {
      address: "[::1]:5432",
      reachable: true,
      lastError: "",
      inRecovery: false,
      serverVersion: "17.6",
      connectionsUsed: 4,
      connectionsLimit: 97,
    },
    topology: {
      implementation: "memory",
      registered: true,
      lastError: "",
      lastPublishedTime: new Date("2026-01-02T03:04:05.678Z"),
      awaySinceTime: undefined,
      typeSource: 1,
      ignoredType: 0,
      shardPrimary: { component: 1, cell: "zone1", name: "abc12345" },
      shardPrimaryAddress: "db1:15270",
    },
    heartbeat: {
      mode: 2,
      lag: undefined,
      lastWrittenTime: new Date("2026-01-02T03:04:05.000Z"),
      lastError: "",
      behindBytes: undefined,
    },
    startTime: new Date("2026-01-02T03:04:00.000Z"),
    version: "1.2.3",
    intent: {
      status: 1,
      reason: "",
      sinceTime: undefined,
      remembered: false,
      notRememberedReason: "the pooler has no directory of its own (--pooler-dir)",
    },
    transitions: [],
    drains: undefined,
    demotion: { consensusTerm: 2n, lsnPosition: "0/3000148" },
    runningAction: { name: "SetTerm", startTime: new Date("2026-01-02T03:04:05.000Z") },
    term: {
      termNumber: 3n,
      acceptedLeader: undefined,
      lastAcceptanceTime: undefined,
      leaderId: { component: 1, cell: "zone1", name: "abc12345" },
    },
  });
});

test("a pooler that never reached its database has no role, and says why it is not ready", () => {
  const { database, topology } = managerStatus();
  const found = message({
    state: { name: "starting" },
    ready: false,
    notReadyReason: "PostgreSQL refuses connections",
    notReadyCode: "DATABASE_UNREACHABLE",
    notReadySince: new Date("2026-01-02T03:04:05.000Z"),
    type: "UNKNOWN",
    serving: {
      current: { status: "NOT_SERVING", role: "REPLICA", reason: "starting" },
      wanted: { status: "SERVING", role: "PRIMARY", reason: "the database is healthy" },
    },
    database: {
      ...database,
      address: { type: "socket", path: "/run/postgresql/.s.PGSQL.5432" },
      reachable: false,
      lastError: "connection refused",
      inRecovery: undefined,
      serverVersion: undefined,
    },
    topology: {
      ...topology,
      registered: false,
      typeSource: "local memory",
      ignoredType: "PRIMARY",
      lastError: "no answer",
      lastPublishedAt: undefined,
      awaySince: new Date("2026-01-02T03:04:00.000Z"),
    },
  });
  expect(found).toMatchObject({
    state: 1,
    ready: false,
    notReadyReason: "PostgreSQL refuses connections",
    notReadyCode: 8,
    notReadySinceTime: new Date("2026-01-02T03:04:05.000Z"),
    poolerType: 0,
    role: 0,
    serving: { current: 4, wanted: 1, reason: "the database is healthy" },
    database: {
      address: "/run/postgresql/.s.PGSQL.5432",
      reachable: false,
      lastError: "connection refused",
      serverVersion: "",
    },
    topology: {
      registered: false,
      lastError: "no answer",
      awaySinceTime: new Date("2026-01-02T03:04:00.000Z"),
      typeSource: 2,
      ignoredType: 1,
    },
  });
  expect(found.routingTerm).toBeUndefined();
  expect(found.database?.inRecovery).toBeUndefined();
  expect(found.topology?.lastPublishedTime).toBeUndefined();
});

test("what the serving status went through is told, and what became of the drains", () => {
  const { serving } = managerStatus();
  const drains = {
    completed: 3,
    cut: 1,
    reversed: 2,
    aborted: 0,
    cutRequests: 4,
    longestMs: 3000.5,
    totalMs: 61_000,
  };
  const startedAt = new Date("2026-01-02T03:04:05.678Z");
  const found = message({
    serving: { ...serving, drains },
    transitions: [
      {
        startedAt,
        from: { status: "SERVING", role: "PRIMARY" },
        to: { status: "DRAINED", role: "REPLICA" },
        reason: "an upgrade",
        outcome: "reversed",
        durationMs: 1500,
        attempts: 2,
        error: "no answer",
      },
    ],
  });
  expect(found.transitions).toEqual([
    {
      startTime: startedAt,
      fromStatus: 1,
      fromRole: 1,
      toStatus: 3,
      toRole: 2,
      reason: "an upgrade",
      outcome: 3,
      duration: { seconds: 1n, nanos: 500_000_000 },
      attempts: 2,
      error: "no answer",
    },
  ]);
  expect(found.drains).toEqual({
    completed: 3n,
    cut: 1n,
    reversed: 2n,
    aborted: 0n,
    cutRequests: 4n,
    longest: { seconds: 3n, nanos: 500_000 },
    total: { seconds: 61n, nanos: 0 },
  });
});

test("a start that failed for good says why", () => {
  const error = new ManagerError("AUTHENTICATION_FAILED", "the password is wrong");
  expect(message({ state: { name: "error", error } })).toMatchObject({
    state: 3,
    errorMessage: "the password is wrong",
  });
});

test("a drained pooler differs from one whose type is not known", () => {
  expect(message({ type: "DRAINED" }).poolerType).toBe(3);
  expect(message({ type: "UNKNOWN" }).poolerType).toBe(0);
});

test.each<[string, ManagerStatus["heartbeat"], object]>([
  ["that is off", { mode: "off" }, { mode: 1, lag: undefined, lastError: "" }],
  [
    "that could not be written yet",
    { mode: "writer", lastWrittenAt: undefined, lastError: "no standby confirmed it" },
    { mode: 2, lastWrittenTime: undefined, lastError: "no standby confirmed it" },
  ],
  [
    "that did not arrive",
    { mode: "reader", lagMs: undefined, lastError: "no new heartbeat for 2100 ms" },
    { mode: 3, lag: undefined, lastError: "no new heartbeat for 2100 ms" },
  ],
  [
    "without lag",
    { mode: "reader", lagMs: 0, lastError: undefined },
    { mode: 3, lag: { seconds: 0n, nanos: 0 }, lastError: "" },
  ],
  [
    "that is a minute behind",
    { mode: "reader", lagMs: 61_007, behindBytes: 4096, lastError: undefined },
    { mode: 3, lag: { seconds: 61n, nanos: 7_000_000 }, behindBytes: 4096n, lastError: "" },
  ],
])("a heartbeat %s is reported", (_, heartbeat, told) => {
  expect(message({ heartbeat }).heartbeat).toMatchObject(told);
});

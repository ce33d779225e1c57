import type { HeartbeatStatus } from "@multipooler/manager";
import type { DatabasePool, DatabaseReport, TotalFigures } from "@multipooler/poolerserver";
import { ManualClock } from "@multipooler/timing/testing";
import { expect, test } from "vitest";
import { WorkSampler } from "./work-sampler.ts";

const NOTHING: TotalFigures = {
  logins: 0,
  grants: 0,
  waitMs: 0,
  reservedErrors: new Map(),
  clientParses: 0,
  serverParses: 0,
  binds: 0,
  requests: 0,
  transactions: 0,
  busyMs: 0,
  transactionMs: 0,
  errors: new Map(),
  answerTimes: Array.from({ length: 17 }, () => 0),
  failedTimes: [],
  failedMs: 0,
  rowCounts: [],
  rows: 0,
  bytesSent: 0,
  bytesReceived: 0,
};

function database(name: string, totals: Partial<TotalFigures>): DatabaseReport {
  return {
    name,
    address: undefined,
    isPaused: false,
    isDisabled: false,
    connections: 0,
    totals: { ...NOTHING, ...totals },
  };
}

class Stand {
  readonly clock = new ManualClock();
  databases: DatabaseReport[] = [];
  pools: DatabasePool[] = [];
  heartbeat: HeartbeatStatus = { mode: "off" };
  readonly sampler = new WorkSampler({
    administration: { databases: () => this.databases, pools: () => this.pools },
    status: () => ({ heartbeat: this.heartbeat }),
    clock: this.clock,
  });
}

test("totals of all databases become rates of the time between two looks", async () => {
  const stand = new Stand();
  stand.databases = [database("a", { requests: 1000, errors: new Map([["22012", 7]]) })];
  expect(stand.sampler.take()).toMatchObject({ requests: 0, times: undefined, bytes: 0 });
  await stand.clock.advance(2000);
  stand.databases = [
    database("a", {
      requests: 1010,
      errors: new Map([
        ["22012", 8],
        ["42P01", 1],
      ]),
      transactions: 4,
      bytesSent: 500,
      bytesReceived: 300,
      answerTimes: [10, ...Array.from({ length: 16 }, () => 0)],
    }),
    database("b", { requests: 10, bytesReceived: 200 }),
  ];
  expect(stand.sampler.take()).toEqual({
    atMs: stand.clock.now(),
    requests: 10,
    transactions: 2,
    errors: 1,
    times: { p50Ms: 0.05, p95Ms: 0.095, p99Ms: 0.099 },
    used: 0,
    waiting: 0,
    longestWaitMs: 0,
    bytes: 500,
    lagMs: undefined,
  });
});

test("what is waited for and held is as of now, and so is the lag of a replica", () => {
  const stand = new Stand();
  const server = { processId: 1, openedAt: 0, requestedAt: 0, isBeingReplaced: false };
  const pool = { database: "a", limit: 1, reservations: 0, dials: 0 };
  stand.pools = [
    {
      ...pool,
      user: "u",
      servers: [
        { ...server, state: "active" },
        { ...server, state: "idle" },
      ],
      waiting: 2,
      longestWaitMs: 70,
    },
    { ...pool, user: "v", servers: [{ ...server, state: "active" }], waiting: 1, longestWaitMs: 9 },
  ];
  stand.heartbeat = { mode: "reader", lagMs: 420, lastError: undefined };
  expect(stand.sampler.take()).toMatchObject({
    used: 2,
    waiting: 3,
    longestWaitMs: 70,
    lagMs: 420,
  });
});

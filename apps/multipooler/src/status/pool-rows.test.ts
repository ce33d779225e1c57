import type { DatabasePool, ServerState } from "@multipooler/poolerserver";
import { expect, test } from "vitest";
import { poolRows } from "./pool-rows.ts";

const NOW_MS = 1_000_000;

function pool(user: string, states: readonly ServerState[], waiting = 0): DatabasePool {
  return {
    database: "shop",
    user,
    servers: states.map((state, index) => ({
      state,
      processId: index + 1,
      openedAt: 0,
      requestedAt: index === 0 ? 0 : NOW_MS - index * 1000,
      isBeingReplaced: false,
    })),
    limit: 5,
    reservations: 1,
    dials: 2,
    waiting,
    longestWaitMs: waiting * 10,
  };
}

test("pools that are waited for come first, then those in use", () => {
  const { pools } = poolRows(
    [
      pool("idle", ["idle", "tested", "closed"]),
      pool("busy", ["active", "active"]),
      pool("full", ["active"], 3),
    ],
    NOW_MS,
  );
  expect(pools.map(({ user }) => user)).toEqual(["full", "busy", "idle"]);
  expect(pools[0]).toEqual({
    database: "shop",
    user: "full",
    used: 1,
    idle: 0,
    tested: 0,
    dials: 2,
    limit: 5,
    reservations: 1,
    waiting: 3,
    longestWaitMs: 30,
  });
  expect(pools[2]).toMatchObject({ used: 0, idle: 1, tested: 1 });
});

test("holders are those that have a connection, the quietest first", () => {
  const { holders } = poolRows([pool("a", ["active", "active", "idle", "active"])], NOW_MS);
  expect(holders.map(({ processId, quietMs }) => [processId, quietMs])).toEqual([
    [4, 3000],
    [2, 1000],
    [1, undefined],
  ]);
});

test("a report stays small however many there are, and says how many are left out", () => {
  const many = Array.from({ length: 130 }, (_, index) => pool(`u${index}`, ["active"]));
  const { pools, morePools, holders, moreHolders } = poolRows(many, NOW_MS);
  expect([pools.length, morePools, holders.length, moreHolders]).toEqual([100, 30, 50, 80]);
});

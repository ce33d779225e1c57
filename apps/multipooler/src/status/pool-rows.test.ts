import type { PoolerActivity } from "@multipooler/grpc-services";
import type { ServerState } from "@multipooler/poolerserver";
import { expect, test } from "vitest";
import { poolRows } from "./pool-rows.ts";

function pool(
  user: string,
  states: readonly ServerState[],
  waiting = 0,
): PoolerActivity["pools"][number] {
  return {
    database: "shop",
    user,
    servers: states.map((state) => ({ state })),
    limit: 5,
    reservations: 1,
    dials: 2,
    waiting,
    longestWaitMs: waiting * 10,
  };
}

test("pools that are waited for come first, then those in use", () => {
  const { pools } = poolRows([
    pool("idle", ["idle", "tested", "closed"]),
    pool("busy", ["active", "active"]),
    pool("full", ["active"], 3),
  ]);
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

test("a report stays small however many there are, and says how many are left out", () => {
  const many = Array.from({ length: 130 }, (_, index) => pool(`u${index}`, ["active"]));
  const { pools, morePools } = poolRows(many);
  expect([pools.length, morePools]).toEqual([100, 30]);
});

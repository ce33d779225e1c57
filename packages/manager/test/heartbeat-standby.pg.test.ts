import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock } from "@multipooler/timing";
import { ActionLock } from "../src/actions/action-lock.ts";
import type { ManagedDatabase } from "../src/database/managed-database.ts";
import type { HeartbeatStatus } from "../src/manager-status.ts";
import { PATIENCE } from "./patience.ts";
import { PRIMARY_NAME, ReplicatedPair, STANDBY_NAME, databaseOf } from "./replicated-pair.ts";

let pair: ReplicatedPair;
let primary: ManagedDatabase;
let standby: ManagedDatabase;

beforeAll(async () => {
  pair = await ReplicatedPair.start(undefined);
  primary = databaseOf(pair.primary, PRIMARY_NAME);
  standby = databaseOf(pair.standby, STANDBY_NAME);
  await primary.check();
  await primary.serve("PRIMARY");
  await standby.check();
  await standby.serve("REPLICA");
}, 120_000);

afterAll(async () => {
  await primary.close();
  await standby.close();
  await pair[Symbol.asyncDispose]();
});

/** What the standby says of its lag. */
function read(): HeartbeatStatus & { readonly mode: "reader" } {
  const { heartbeat } = standby.status();
  if (heartbeat.mode !== "reader") {
    throw new Error(`the standby does not read but is ${heartbeat.mode}`);
  }
  return heartbeat;
}

test("the lag of a standby is told in time and in bytes, and ends with its cause", async () => {
  await expect.poll(() => read().lastError, PATIENCE).toBeUndefined();
  await expect.poll(() => read().behindBytes, PATIENCE).toBe(0);
  // The first one may arrive after the first look.
  await expect.poll(() => read().lagMs ?? -1, PATIENCE).toBeGreaterThanOrEqual(0);

  const { replication } = standby;
  const lease = await new ActionLock(systemClock).acquire("test");
  await replication?.pause(lease, "replay", true);
  await pair.primary.sql("create table written as select generate_series(1, 10000) as id");
  await expect.poll(() => read().behindBytes, PATIENCE).toBeGreaterThan(100_000);
  // Two intervals without one that arrives.
  await expect.poll(() => read().lastError, PATIENCE).toMatch(/^no new heartbeat for \d+ ms$/);
  expect(read().lagMs).toBeGreaterThan(1_000);

  await replication?.resumeReplay(lease);
  await expect.poll(() => read().behindBytes, PATIENCE).toBe(0);
  await expect.poll(() => read().lastError, PATIENCE).toBeUndefined();
});

test("a standby that has all is not behind, though its primary writes no heartbeat any more", async () => {
  await primary.retire();
  await expect
    .poll(() => read().lastError, PATIENCE)
    .toMatch(/^no new heartbeat for \d+ ms; all that was received is replayed$/);
  const silence = (): number => Number(/(\d+) ms/.exec(read().lastError ?? "")?.[1]);
  await expect.poll(silence, PATIENCE).toBeGreaterThan(5_000);
  const isLow = (): boolean => read().behindBytes === 0 && (read().lagMs ?? Infinity) < silence();
  await expect.poll(isLow, PATIENCE).toBe(true);
  await primary.serve("PRIMARY");
  await expect.poll(() => read().lastError, PATIENCE).toBeUndefined();
});

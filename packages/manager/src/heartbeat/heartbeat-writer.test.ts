import { untilAborted } from "@multipooler/timing";
import { ManualClock } from "@multipooler/timing/testing";
import { expect, test } from "vitest";
import { RecordingLogger } from "../../test/recording-logger.ts";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import { HeartbeatWriter } from "./heartbeat-writer.ts";

test("writes that fail come less and less often", async () => {
  const clock = new ManualClock();
  const dialledAt: number[] = [];
  const writer = new HeartbeatWriter({
    database: {
      openDedicated: () => {
        dialledAt.push(Math.round(clock.monotonic()));
        return Promise.reject(new ManagerError(ManagerErrorCode.DatabaseUnavailable, "away"));
      },
      query: () => Promise.reject(new Error("not asked")),
      execute: () => Promise.reject(new Error("not asked")),
    },
    leaderId: "zone1_a",
    intervalMs: 1_000,
    clock,
    logger: new RecordingLogger(),
    onChange: () => undefined,
  });
  const startedAt = Math.round(clock.monotonic());
  writer.open();
  await clock.advance(60_000);
  const pauses = dialledAt.map((at, index) => at - (dialledAt[index - 1] ?? startedAt));
  expect(pauses).toEqual([0, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000, 10_000]);
  await writer.close();
  expect(clock.pending).toBe(0);
});

test("a table that cannot be made again is a failure with the words of PostgreSQL", async () => {
  const clock = new ManualClock();
  const logger = new RecordingLogger();
  const missing = { sqlState: "42P01" };
  const writer = new HeartbeatWriter({
    database: {
      openDedicated: () =>
        Promise.reject(new ManagerError(ManagerErrorCode.DatabaseError, "no table", missing)),
      query: () => Promise.resolve([{ usable: false, versioned: false }]),
      execute: () => Promise.reject(new ManagerError(ManagerErrorCode.DatabaseError, "no right")),
    },
    leaderId: "zone1_a",
    intervalMs: 1_000,
    clock,
    logger,
    onChange: () => undefined,
  });
  writer.open();
  await clock.advance(500);
  expect(writer.status()).toMatchObject({ lastWrittenAt: undefined, lastError: "no table" });
  expect(logger.messages("warn")).toContain(
    "the heartbeat's table is gone and cannot be made again",
  );
  await writer.close();
});

test("a write that waits for a standby on a server that hangs does not hold up the end", async () => {
  const clock = new ManualClock();
  const never = Promise.withResolvers<never>().promise;
  const writing = Promise.withResolvers<void>();
  let isClosed = false;
  const writer = new HeartbeatWriter({
    database: {
      openDedicated: async () => ({
        processId: 42,
        query: (_sql, _values, options) => {
          writing.resolve();
          return untilAborted(never, options?.signal).catch(() => {
            throw new ManagerError(ManagerErrorCode.Cancelled, "the call was cancelled");
          });
        },
        close: async () => {
          isClosed = true;
        },
      }),
      query: (_sql, _values, { signal } = {}) => untilAborted(never, signal),
      execute: () => Promise.reject(new Error("not asked")),
    },
    leaderId: "zone1_a",
    intervalMs: 60_000,
    clock,
    logger: new RecordingLogger(),
    onChange: () => undefined,
  });
  writer.open();
  await writing.promise;
  const closing = writer.close();
  await clock.advance(500);
  await closing;
  expect(isClosed).toBe(true);
  expect(clock.pending).toBe(0);
  expect(writer.writeFault).toBeUndefined();
});

import { setImmediate as nextTurn } from "node:timers/promises";
import type { ConnectionSlot } from "@multipooler/controller-api";
import { ManualClock } from "@multipooler/timing/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { RecordingLogger } from "../../test/recording-logger.ts";
import { ServerShare } from "./server-share.ts";

function shareOf(maxConnections: number, ownConnections = 3) {
  const clock = new ManualClock();
  const logger = new RecordingLogger();
  const share = new ServerShare({ ownConnections, maxConnections, clock, logger });
  return { clock, logger, share };
}

test("nothing is given out before the server told its limit", () => {
  const { share } = shareOf(100);
  expect(share.limit).toBe(0);
  expect(share.used).toBe(0);
  expect(share.tryTake()).toBeUndefined();
});

test.each([
  { granted: -2, limit: 0 },
  { granted: 3, limit: 0 },
  { granted: 4, limit: 1 },
  { granted: 6, limit: 1 },
  { granted: 7, limit: 1 },
  { granted: 8, limit: 2 },
  { granted: 22, limit: 16 },
  { granted: 97, limit: 84 },
  { granted: 1_000, limit: 897 },
])("of $granted that a server grants the controller gets $limit", ({ granted, limit }) => {
  const { share } = shareOf(262_143);
  share.adoptServerLimit(granted);
  expect(share.limit).toBe(limit);
});

test("the configured bound holds for the process, the manager's own connections included", () => {
  const { share } = shareOf(10);
  share.adoptServerLimit(97);
  expect(share.limit).toBe(7);
});

test("more connections of the manager's own are fewer for the controller, but one", () => {
  const { share } = shareOf(262_143, 11);
  share.adoptServerLimit(97);
  expect(share.limit).toBe(76);
  share.adoptServerLimit(13);
  expect(share.limit).toBe(1);
});

test("a full server lowers the limit to what is used, and it recovers in growing steps", async () => {
  const { share, clock, logger } = shareOf(20);
  share.adoptServerLimit(97);
  const slots = [share.tryTake(), share.tryTake()];
  share.serverIsFull();
  expect(share.limit).toBe(2);
  expect(share.tryTake()).toBeUndefined();
  expect(logger.messages("warn")).toEqual(["PostgreSQL has no connection left"]);
  const limits: number[] = [];
  for (let second = 0; second < 5; second += 1) {
    await clock.advance(1_000);
    // What the server says of its settings does not make it less full.
    share.adoptServerLimit(97);
    limits.push(share.limit);
  }
  expect(limits).toEqual([3, 5, 9, 17, 17]);
  expect(clock.pending).toBe(0);
  for (const slot of slots) {
    slot?.release();
  }
});

test("a server that is full again starts the recovery over", async () => {
  const { share, clock } = shareOf(20);
  share.adoptServerLimit(97);
  share.serverIsFull();
  await clock.advance(3_000);
  expect(share.limit).toBe(7);
  share.serverIsFull();
  expect(share.limit).toBe(0);
  await clock.advance(1_000);
  expect(share.limit).toBe(1);
  share.close();
  expect(clock.pending).toBe(0);
});

test("listeners are called once for all changes of a turn, on a turn of their own", async () => {
  const { share, logger } = shareOf(20);
  const calls: number[] = [];
  const unlisten = share.onChange(() => {
    calls.push(share.limit - share.used);
  });
  share.onChange(() => {
    throw new Error("clumsy");
  });
  share.adoptServerLimit(97);
  const slot = share.tryTake();
  slot?.release();
  expect(calls).toEqual([]);
  await nextTurn();
  expect(calls).toEqual([17]);
  expect(logger.messages("error")).toEqual(["a listener of the connection share failed"]);
  unlisten();
  share.serverIsFull();
  await nextTurn();
  expect(calls).toEqual([17]);
  share.close();
});

type Command =
  | { readonly type: "take" }
  | { readonly type: "release"; readonly index: number }
  | { readonly type: "limit"; readonly granted: number }
  | { readonly type: "full" };

test("however places are taken and given back, twice too, the count is right and in bounds", () => {
  const command: fc.Arbitrary<Command> = fc.oneof(
    fc.record({ type: fc.constant("take" as const) }),
    fc.record({ type: fc.constant("release" as const), index: fc.nat(30) }),
    fc.record({ type: fc.constant("limit" as const), granted: fc.integer({ min: -5, max: 30 }) }),
    fc.record({ type: fc.constant("full" as const) }),
  );
  fc.assert(
    fc.property(fc.array(command, { maxLength: 100 }), (commands) => {
      const { share } = shareOf(15);
      const slots: ConnectionSlot[] = [];
      const held = new Set<ConnectionSlot>();
      for (const each of commands) {
        switch (each.type) {
          case "take": {
            const free = held.size < share.limit;
            const slot = share.tryTake();
            expect(slot !== undefined).toBe(free);
            if (slot === undefined) {
              break;
            }
            slots.push(slot);
            held.add(slot);
            break;
          }
          case "release": {
            const slot = slots[each.index];
            slot?.release();
            if (slot !== undefined) {
              held.delete(slot);
            }
            break;
          }
          case "limit":
            share.adoptServerLimit(each.granted);
            break;
          case "full":
            share.serverIsFull();
            break;
        }
        expect(share.used).toBe(held.size);
        expect(share.limit).toBeLessThanOrEqual(12);
      }
      share.close();
    }),
  );
});

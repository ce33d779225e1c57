import { setImmediate as nextTurn } from "node:timers/promises";
import { PoolerServingStatus } from "@multipooler/proto/clustermetadata";
import { StreamPoolerHealthResponse } from "@multipooler/proto/multipoolerservice";
import { ManualClock } from "@multipooler/timing/testing";
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { FakeManager } from "../../test/fake-manager.ts";
import { PoolerHealth } from "./pooler-health.ts";

const PEER = "127.0.0.1:1";

/** A stream whose client takes messages only when the test says so. */
class Reader {
  readonly seen: StreamPoolerHealthResponse[] = [];
  readonly #leave = new AbortController();
  #taken: PromiseWithResolvers<void> | undefined;
  readonly ended: Promise<void>;
  isSlow = false;

  constructor(health: PoolerHealth) {
    const sink = { write: (bytes: Uint8Array) => this.#write(bytes) };
    this.ended = health.stream(sink, { signal: this.#leave.signal, peer: PEER });
  }

  get last(): StreamPoolerHealthResponse | undefined {
    return this.seen.at(-1);
  }

  take(): void {
    this.#taken?.resolve();
    this.#taken = undefined;
  }

  async leave(): Promise<void> {
    this.#leave.abort();
    this.take();
    await this.ended;
  }

  #write(bytes: Uint8Array): Promise<void> | undefined {
    if (this.#taken !== undefined) {
      throw new Error("written to a client that is behind");
    }
    this.seen.push(StreamPoolerHealthResponse.decode(bytes));
    if (!this.isSlow) {
      return undefined;
    }
    this.#taken = Promise.withResolvers();
    return this.#taken.promise;
  }
}

function scene(stalenessMs = 90_000): {
  manager: FakeManager;
  clock: ManualClock;
  health: PoolerHealth;
  closing: AbortController;
} {
  const manager = new FakeManager();
  const clock = new ManualClock();
  const closing = new AbortController();
  const health = new PoolerHealth({ manager, clock, stalenessMs, closing: closing.signal });
  return { manager, clock, health, closing };
}

test("the state comes at once, then each change of it, and nothing for other changes", async () => {
  const { manager, health } = scene();
  const reader = new Reader(health);
  expect(reader.seen.map(({ servingStatus }) => servingStatus)).toEqual([0]);
  manager.change({ type: "REPLICA" });
  await nextTurn();
  expect(reader.seen).toHaveLength(1);
  manager.change({ ready: false });
  await nextTurn();
  expect(reader.last?.servingStatus).toBe(PoolerServingStatus.NOT_SERVING);
  await reader.leave();
});

test.each([
  [90_000, 30_000],
  [600_000, 30_000],
  [9000, 3000],
])("a patience of %d ms gets a heartbeat with the new lag each %d ms", async (patience, period) => {
  const { manager, clock, health } = scene(patience);
  const reader = new Reader(health);
  for (const lagMs of [1, 2]) {
    manager.change({ heartbeat: { mode: "reader", lagMs, lastError: undefined } });
    await clock.advance(period - 1);
    expect(reader.seen).toHaveLength(lagMs);
    await clock.advance(1);
    expect(reader.seen).toHaveLength(lagMs + 1);
    expect(reader.last?.replicationLagNs).toBe(BigInt(lagMs) * 1_000_000n);
  }
  await reader.leave();
});

test("a slow reader gets every state, one after the other", async () => {
  const { manager, clock, health } = scene();
  const reader = new Reader(health);
  reader.isSlow = true;
  for (const ready of [false, true, false]) {
    manager.change({ ready });
    await clock.advance(1_000);
  }
  expect(reader.seen.map(({ servingStatus }) => servingStatus)).toEqual([0, 1]);
  for (const _ of [1, 2, 3]) {
    reader.take();
    await nextTurn();
  }
  expect(reader.seen.map(({ servingStatus }) => servingStatus)).toEqual([0, 1, 0, 1]);
  await reader.leave();
});

test("a reader that is 20 messages behind is closed, and nobody else is", async () => {
  const { manager, clock, health } = scene();
  const reader = new Reader(health);
  const other = new Reader(health);
  reader.isSlow = true;
  manager.change({ ready: false });
  await nextTurn();
  let isEnded = false;
  const end = reader.ended.catch((error: unknown) => {
    isEnded = true;
    return error;
  });
  for (let change = 1; change <= 20; change += 1) {
    manager.change({ ready: change % 2 === 1 });
    await nextTurn();
  }
  // The message that is being taken is not one that waits.
  expect(isEnded).toBe(false);
  manager.change({ ready: true });
  expect(await end).toMatchObject({ code: "SUBSCRIBER_BEHIND" });
  expect(other.seen).toHaveLength(23);
  await other.leave();
  expect([manager.watchers, clock.pending]).toEqual([0, 0]);
});

test("a thousand streams cost one watcher, one timer and one message", async () => {
  const { manager, clock, health } = scene();
  const looks = vi.spyOn(manager, "status");
  const readers = Array.from({ length: 1000 }, () => new Reader(health));
  expect(manager.watchers).toBe(1);
  expect(clock.pending).toBe(1);
  await clock.advance(30_000);
  expect(looks).toHaveBeenCalledTimes(2);
  expect(readers.every(({ seen }) => seen.length === 2)).toBe(true);
  await Promise.all(readers.map((reader) => reader.leave()));
  expect(manager.watchers).toBe(0);
  expect(clock.pending).toBe(0);
});

test("who comes back gets the state of that moment", async () => {
  const { manager, health } = scene();
  await new Reader(health).leave();
  manager.change({ ready: false });
  const again = new Reader(health);
  expect(again.last?.servingStatus).toBe(PoolerServingStatus.NOT_SERVING);
  await again.leave();
});

test("closing ends the streams, after the last state", async () => {
  const { manager, health, closing } = scene();
  const reader = new Reader(health);
  manager.change({ ready: false });
  closing.abort();
  await reader.ended;
  expect(reader.last?.servingStatus).toBe(PoolerServingStatus.NOT_SERVING);
  const late = new Reader(health);
  await late.ended;
  expect(late.seen).toHaveLength(1);
  expect(manager.watchers).toBe(0);
});

type Step =
  | { readonly type: "ready"; readonly value: boolean }
  | { readonly type: "slow"; readonly value: boolean }
  | { readonly type: "take" | "heartbeat" | "turn" };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({ type: fc.constantFrom("ready" as const, "slow" as const), value: fc.boolean() }),
    fc.record({ type: fc.constantFrom("take" as const, "heartbeat" as const, "turn" as const) }),
  ),
  { maxLength: 30 },
);

test("however slow a reader is, it sees the states in their order, or its stream ends", async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (course) => {
      const { manager, clock, health } = scene();
      const reader = new Reader(health);
      const states = [manager.status().ready];
      let hasFailed = false;
      const end = reader.ended.catch(() => {
        hasFailed = true;
      });
      for (const step of course) {
        switch (step.type) {
          case "ready":
            if (step.value !== states.at(-1)) {
              states.push(step.value);
            }
            manager.change({ ready: step.value });
            break;
          case "slow":
            reader.isSlow = step.value;
            break;
          case "take":
            reader.take();
            break;
          case "heartbeat":
            clock.step(30_000);
            break;
          case "turn":
            await nextTurn();
            break;
        }
      }
      reader.isSlow = false;
      reader.take();
      await nextTurn();
      if (!hasFailed) {
        const seen = reader.seen.map(({ servingStatus }) => servingStatus === 0);
        expect(seen.filter((state, at) => state !== seen[at - 1])).toEqual(states);
      }
      await reader.leave().catch(() => undefined);
      await end;
      expect([manager.watchers, clock.pending]).toEqual([0, 0]);
    }),
  );
});

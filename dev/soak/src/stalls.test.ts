import { expect, test } from "vitest";
import { Stalls } from "./stalls.ts";

const FOREVER = { signal: new AbortController().signal };

test("a PostgreSQL that answers late has stalled, while it does and a while after that", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  let nowMs = 0;
  const stalls = new Stalls({ probe: () => promise, now: () => nowMs });
  const looking = stalls.look(FOREVER);
  expect(stalls.hasBeenSince(0)).toBe(false);
  nowMs = 600;
  expect(stalls.hasBeenSince(0)).toBe(true);
  resolve();
  await looking;
  expect(stalls.hasBeenSince(nowMs)).toBe(true);
  nowMs = 16_000;
  expect(stalls.hasBeenSince(nowMs)).toBe(false);
  expect(stalls.count).toBe(1);
});

test.each([
  ["answers at once", () => Promise.resolve()],
  ["is not there", () => Promise.reject(new Error("connection refused"))],
])("a PostgreSQL that %s has not stalled", async (_, probe) => {
  const stalls = new Stalls({ probe, now: () => 0 });
  await stalls.look(FOREVER);
  expect(stalls.hasBeenSince(Number.NEGATIVE_INFINITY)).toBe(false);
  expect(stalls.count).toBe(0);
});

test("what stalls excuse is counted once, also where the time after one reaches the next", async () => {
  let nowMs = 0;
  const answerIn = (ms: number) => async () => void (nowMs += ms);
  let probe = answerIn(1000);
  const stalls = new Stalls({ probe: () => probe(), now: () => nowMs });
  await stalls.look(FOREVER);
  expect(stalls.excusedMs).toBe(16_000);
  nowMs = 10_000;
  await stalls.look(FOREVER);
  // From the beginning to the end of what comes after the second: one span.
  expect(stalls.excusedMs).toBe(26_000);
  nowMs = 60_000;
  probe = answerIn(1);
  await stalls.look(FOREVER);
  expect(stalls.excusedMs).toBe(26_000);
});

test("a question that is never answered ends with the signal", async () => {
  const abort = new AbortController();
  const asked = Promise.withResolvers<AbortSignal>();
  const probe = ({ signal }: { signal: AbortSignal }): Promise<never> => {
    asked.resolve(signal);
    return new Promise((_, reject) =>
      signal.addEventListener("abort", () => reject(new Error("given up"))),
    );
  };
  const stalls = new Stalls({ probe, now: () => 0 });
  const looking = stalls.look({ signal: abort.signal });
  const signal = await asked.promise;
  abort.abort();
  await looking;
  expect(signal.aborted).toBe(true);
});

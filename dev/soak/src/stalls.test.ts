import { expect, test } from "vitest";
import { Stalls } from "./stalls.ts";

test("a PostgreSQL that answers late has stalled, while it does and a while after that", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  let nowMs = 0;
  const stalls = new Stalls({ probe: () => promise, now: () => nowMs });
  const looking = stalls.look();
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
  await stalls.look();
  expect(stalls.hasBeenSince(Number.NEGATIVE_INFINITY)).toBe(false);
  expect(stalls.count).toBe(0);
});

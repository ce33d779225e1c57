import { expect, test } from "vitest";
import { scheduleFlush, turnWorkMs } from "./loop-turn.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("backends are flushed before clients, once a turn, in the order of their calls", async () => {
  const log: string[] = [];
  const target = (name: string): { flush: () => void } => ({ flush: () => log.push(name) });
  scheduleFlush("client", target("client 1"));
  scheduleFlush("backend", target("backend 1"));
  scheduleFlush("client", target("client 2"));
  scheduleFlush("backend", target("backend 2"));
  expect(log).toEqual([]);
  await turn();
  expect(log).toEqual(["backend 1", "backend 2", "client 1", "client 2"]);
  await turn();
  expect(log).toHaveLength(4);
});

test("what is scheduled by a flush leaves in the next turn", async () => {
  const log: string[] = [];
  scheduleFlush("backend", {
    flush: () => {
      log.push("first");
      scheduleFlush("backend", { flush: () => log.push("second") });
    },
  });
  await turn();
  expect(log).toEqual(["first"]);
  await turn();
  expect(log).toEqual(["first", "second"]);
});

test("the work of a turn is known while it lasts, and in the one behind it", async () => {
  await turn();
  const began = performance.now();
  scheduleFlush("backend", { flush: () => undefined });
  while (performance.now() < began + 5) {
    // As a socket that has much to read.
  }
  expect(turnWorkMs(performance.now())).toBeGreaterThanOrEqual(5);
  await turn();
  const [before, after] = [turnWorkMs(performance.now()), turnWorkMs(performance.now() + 100)];
  expect(before).toBeGreaterThanOrEqual(5);
  expect(after).toBe(before);
});

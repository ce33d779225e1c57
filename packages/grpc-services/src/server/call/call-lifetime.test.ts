import { ManualClock } from "@multipooler/timing/testing";
import { expect, test } from "vitest";
import { CallDeadlines } from "./call-deadlines.ts";
import { CallLifetime } from "./call-lifetime.ts";

interface Scene {
  readonly lifetime: CallLifetime;
  readonly clock: ManualClock;
  readonly timeouts: string[];
}

function scene(timeoutMs?: number): Scene {
  const clock = new ManualClock();
  const timeouts: string[] = [];
  const onTimeout = (): void => void timeouts.push(reasonOf(lifetime));
  const deadlines = new CallDeadlines(clock);
  const lifetime = new CallLifetime({ timeoutMs, onTimeout, deadlines, clock });
  return { lifetime, clock, timeouts };
}

function reasonOf({ signal }: CallLifetime): string {
  const found: unknown = signal.reason;
  return found instanceof DOMException ? found.name : String(found);
}

test("a call that goes on does not abort", async () => {
  const { lifetime, clock, timeouts } = scene(1000);
  await clock.advance(999);
  expect(lifetime.signal.aborted).toBe(false);
  expect(timeouts).toEqual([]);
});

test("a cancelled call aborts with an AbortError", () => {
  const { lifetime, timeouts } = scene(1000);
  lifetime.cancel();
  expect(reasonOf(lifetime)).toBe("AbortError");
  expect(timeouts).toEqual([]);
});

test("a passed deadline aborts with a TimeoutError, and says so", async () => {
  const { lifetime, clock, timeouts } = scene(1000);
  await clock.advance(1000);
  expect(reasonOf(lifetime)).toBe("TimeoutError");
  expect(timeouts).toEqual(["TimeoutError"]);
});

test("a client that gives up at its own deadline, just before the server's, has timed out", async () => {
  const { lifetime, clock } = scene(1000);
  await clock.advance(995);
  lifetime.cancel();
  expect(reasonOf(lifetime)).toBe("TimeoutError");
});

test("a call without a deadline never times out", async () => {
  const { lifetime, clock } = scene();
  await clock.advance(1e9);
  expect(lifetime.signal.aborted).toBe(false);
});

test("an answered call does not time out any more, and a cancelled one neither", async () => {
  const answered = scene(1000);
  answered.lifetime.end();
  await answered.clock.advance(2000);
  expect(answered.lifetime.signal.aborted).toBe(false);
  const cancelled = scene(1000);
  cancelled.lifetime.cancel();
  await cancelled.clock.advance(2000);
  expect(cancelled.timeouts).toEqual([]);
});

import { ManualClock } from "@multipooler/timing/testing";
import { expect, test } from "vitest";
import { CallDeadlines } from "./call-deadlines.ts";
import type { Expiring } from "./call-deadlines.ts";

interface Scene {
  readonly clock: ManualClock;
  readonly deadlines: CallDeadlines;
  readonly expired: string[];
  /** A call that waits from now on. */
  readonly call: (name: string, timeoutMs: number, onExpire?: () => void) => Expiring;
}

function scene(): Scene {
  const clock = new ManualClock();
  const deadlines = new CallDeadlines(clock);
  const expired: string[] = [];
  return {
    clock,
    deadlines,
    expired,
    call: (name, timeoutMs, onExpire) => {
      const call: Expiring = {
        deadline: clock.monotonic() + timeoutMs,
        expire: () => {
          expired.push(`${name} at ${clock.monotonic()}`);
          onExpire?.();
        },
      };
      deadlines.add(call);
      return call;
    },
  };
}

test("each call expires at its deadline, whatever the order in which they came", async () => {
  const { clock, expired, call } = scene();
  call("late", 300);
  call("early", 100);
  call("middle", 200);
  await clock.advance(1000);
  expect(expired).toEqual(["early at 100", "middle at 200", "late at 300"]);
  expect(clock.pending).toBe(0);
});

test("calls that were removed do not expire, and those behind them in time", async () => {
  const { clock, deadlines, expired, call } = scene();
  const early = call("early", 100);
  call("late", 300);
  deadlines.remove(early);
  await clock.advance(1000);
  expect(expired).toEqual(["late at 300"]);
});

test("a thousand calls that end in time share one timer", async () => {
  const { clock, deadlines, expired, call } = scene();
  for (let n = 0; n < 1000; n += 1) {
    deadlines.remove(call("quick", 30_000 + (n % 7)));
  }
  expect(clock.pending).toBe(1);
  await clock.advance(30_000);
  expect(expired).toEqual([]);
  expect(clock.pending).toBe(0);
});

test("deadlines that are close together are kept together, a few milliseconds late", async () => {
  const { clock, expired, call } = scene();
  call("first", 100);
  call("second", 101);
  call("third", 104);
  await clock.advance(1000);
  expect(expired).toEqual(["first at 100", "second at 105", "third at 105"]);
});

test("a call that comes while another expires has its deadline too", async () => {
  const { clock, expired, call } = scene();
  call("first", 100, () => void call("second", 50));
  await clock.advance(1000);
  expect(expired).toEqual(["first at 100", "second at 150"]);
});

test("no timer is left after close", () => {
  const { clock, deadlines, call } = scene();
  deadlines.remove(call("quick", 100));
  deadlines.close();
  expect(clock.pending).toBe(0);
});

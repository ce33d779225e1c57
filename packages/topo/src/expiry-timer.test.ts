import { ManualClock } from "@multipooler/timing/testing";
import { expect, test } from "vitest";
import { ExpiryTimer } from "./expiry-timer.ts";

test("it sweeps when the next thing expires, also when that has moved", async () => {
  const clock = new ManualClock({ startsAt: 0 });
  const expiries = new Set([1000, 3000]);
  const swept: number[] = [];
  const timer = new ExpiryTimer({
    clock,
    sweep: (now) => {
      for (const at of expiries) {
        if (at > now) {
          continue;
        }
        expiries.delete(at);
        swept.push(now);
      }
      return expiries.size === 0 ? undefined : Math.min(...expiries);
    },
  });
  timer.schedule();
  await clock.advance(1000);
  expect(swept).toEqual([1000]);
  expiries.add(2000);
  timer.schedule();
  expect(clock.pending).toBe(1);
  await clock.advance(2000);
  expect(swept).toEqual([1000, 2000, 3000]);
  expect(clock.pending).toBe(0);
});

test("once stopped it sleeps and sweeps no more", async () => {
  const clock = new ManualClock();
  let sweeps = 0;
  const timer = new ExpiryTimer({
    clock,
    sweep: (now) => {
      sweeps += 1;
      return now + 100;
    },
  });
  timer.schedule();
  timer.stop();
  timer.schedule();
  await clock.advance(1000);
  expect(sweeps).toBe(1);
  expect(clock.pending).toBe(0);
});

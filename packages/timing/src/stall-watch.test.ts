import { expect, test } from "vitest";
import { StallWatch } from "./stall-watch.ts";
import type { Taker } from "./stall-watch.ts";
import { ManualClock } from "./testing/manual-clock.ts";

class TestTaker implements Taker {
  takenBytes = 0;
  stalls = 0;

  onStalled(): void {
    this.stalls += 1;
  }
}

function watchOf(limitMs: number): { clock: ManualClock; watch: StallWatch; taker: TestTaker } {
  const clock = new ManualClock();
  return { clock, watch: new StallWatch({ clock, limitMs }), taker: new TestTaker() };
}

test("one who takes nothing for the limit has stalled, once", async () => {
  const { clock, watch, taker } = watchOf(800);
  watch.add(taker);
  await clock.advance(799);
  expect(taker.stalls).toBe(0);
  await clock.advance(1);
  expect(taker.stalls).toBe(1);
  await clock.advance(8000);
  expect(taker.stalls).toBe(1);
  expect(clock.pending).toBe(0);
});

test("one who takes a byte now and then is left alone", async () => {
  const { clock, watch, taker } = watchOf(800);
  watch.add(taker);
  for (let step = 0; step < 20; step += 1) {
    taker.takenBytes += 1;
    await clock.advance(700);
  }
  expect(taker.stalls).toBe(0);
  await clock.advance(900);
  expect(taker.stalls).toBe(1);
});

test("one who is removed is not watched, and begins again when it is added", async () => {
  const { clock, watch, taker } = watchOf(800);
  watch.add(taker);
  await clock.advance(700);
  watch.remove(taker);
  watch.add(taker);
  await clock.advance(700);
  watch.add(taker);
  expect(taker.stalls).toBe(0);
  await clock.advance(100);
  expect(taker.stalls).toBe(1);
  expect(clock.pending).toBe(0);
});

test("a limit of 0 is none, until another is given", async () => {
  const { clock, watch, taker } = watchOf(0);
  watch.add(taker);
  expect(clock.pending).toBe(0);
  await clock.advance(100_000);
  expect(taker.stalls).toBe(0);
  watch.change(800);
  await clock.advance(100);
  expect(taker.stalls).toBe(1);
});

test("closing it leaves no timer", () => {
  const { clock, watch, taker } = watchOf(800);
  watch.add(taker);
  watch.close();
  expect(clock.pending).toBe(0);
});

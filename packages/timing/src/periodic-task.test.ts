import { expect, test } from "vitest";
import { ManualClock } from "./testing/manual-clock.ts";
import { PeriodicTask } from "./periodic-task.ts";

class Fixture implements AsyncDisposable {
  readonly clock: ManualClock = new ManualClock();
  readonly startedAt: number = this.clock.now();
  /** When it ran, since the start. */
  readonly runs: number[] = [];
  delayMs: number | undefined = 100;
  hold: Promise<void> = Promise.resolve();
  readonly task: PeriodicTask = new PeriodicTask({
    clock: this.clock,
    run: async (signal) => {
      this.runs.push(this.clock.now() - this.startedAt);
      await Promise.race([
        this.hold,
        new Promise<void>((resolve) => {
          signal.addEventListener("abort", () => resolve());
        }),
      ]);
      return this.delayMs;
    },
  });

  async [Symbol.asyncDispose](): Promise<void> {
    await this.task.close();
  }
}

test("it runs at once and then after each delay that it asks for", async () => {
  await using fixture = new Fixture();
  fixture.task.open();
  fixture.task.open();
  await fixture.clock.advance(250);
  expect(fixture.runs).toEqual([0, 100, 200]);
});

test("without a delay it waits for a poke, which also cuts a delay short", async () => {
  await using fixture = new Fixture();
  fixture.delayMs = undefined;
  fixture.task.open();
  await fixture.clock.advance(1_000);
  expect(fixture.runs).toEqual([0]);
  fixture.delayMs = 500;
  fixture.task.poke();
  await fixture.clock.advance(100);
  fixture.task.poke();
  await fixture.clock.advance(0);
  expect(fixture.runs).toEqual([0, 1_000, 1_100]);
});

test("pokes while it runs make it run once more, never twice at once", async () => {
  await using fixture = new Fixture();
  const hold = Promise.withResolvers<void>();
  fixture.hold = hold.promise;
  fixture.task.open();
  await fixture.clock.advance(0);
  fixture.task.poke();
  fixture.task.poke();
  await fixture.clock.advance(50);
  expect(fixture.runs).toEqual([0]);
  hold.resolve();
  await fixture.clock.advance(0);
  expect(fixture.runs).toEqual([0, 50]);
});

test("close ends what runs and every wait, and there is no way back", async () => {
  const fixture = new Fixture();
  fixture.hold = new Promise(() => undefined);
  fixture.task.open();
  await Promise.all([fixture.task.close(), fixture.task.close()]);
  expect(fixture.clock.pending).toBe(0);
  fixture.task.open();
  fixture.task.poke();
  await fixture.clock.advance(1_000);
  expect(fixture.runs).toEqual([0]);
});

test("a task that was never opened can be closed", async () => {
  const fixture = new Fixture();
  await fixture.task.close();
  expect(fixture.runs).toEqual([]);
});

test("tasks that began at different times share their wake-ups, and short pauses are kept", async () => {
  const clock = new ManualClock();
  const runs: number[] = [];
  const taskOf = (delayMs: number): PeriodicTask =>
    new PeriodicTask({
      clock,
      run: () => {
        runs.push(clock.monotonic());
        return Promise.resolve(delayMs);
      },
    });
  const [first, second, short] = [taskOf(1000), taskOf(500), taskOf(299)];
  await clock.advance(20);
  first.open();
  await clock.advance(47);
  second.open();
  await clock.advance(2033);
  expect(runs).toEqual([20, 67, 600, 1000, 1100, 1600, 2000, 2100]);
  await Promise.all([first.close(), second.close()]);
  runs.length = 0;
  await clock.advance(33);
  short.open();
  await clock.advance(600);
  expect(runs).toEqual([2133, 2432, 2731]);
  await short.close();
});

import { ManualClock } from "@multipooler/timing/testing";
import { expect, test } from "vitest";
import { UnfinishedGroups } from "./unfinished-groups.ts";

/** Sessions that are noted again where a test says so. */
function setUp() {
  const clock = new ManualClock();
  const groups = new UnfinishedGroups(clock);
  const run: string[] = [];
  const session = (name: string) => ({ runGroup: () => void run.push(name) });
  return { clock, groups, run, session };
}

test("a group runs once its rest was waited for, and once only", () => {
  const { clock, groups, run, session } = setUp();
  const [first, second] = [session("first"), session("second")];
  groups.note(first);
  clock.step(15);
  groups.note(first);
  groups.note(second);
  clock.step(10);
  expect(run).toEqual([]);
  clock.step(20);
  expect(run).toEqual(["first", "second"]);
  clock.step(100);
  expect(run).toEqual(["first", "second"]);
});

test("what comes after a long turn of the event loop is read first", () => {
  const { clock, groups, run, session } = setUp();
  const late = session("late");
  groups.note(late);
  clock.step(20);
  expect(run).toEqual([]);
  groups.forget(late);
  clock.step(100);
  expect(run).toEqual([]);
});

test("nothing is left where nobody waits", () => {
  const { clock, groups, session } = setUp();
  const [one, other] = [session("one"), session("other")];
  groups.forget(one);
  groups.note(one);
  clock.step(20);
  groups.note(other);
  groups.forget(one);
  expect(clock.pending).toBe(1);
  groups.forget(other);
  expect(clock.pending).toBe(0);
});

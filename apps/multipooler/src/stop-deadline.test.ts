import { ManualClock } from "@multipooler/timing/testing";
import { expect, test } from "vitest";
import { StopDeadline } from "./stop-deadline.ts";

test("each stage of a stop has its own time, and the end of the stop ends the watch", () => {
  const clock = new ManualClock();
  const forced: string[] = [];
  const forceExit = (message: string): void => void forced.push(message);
  {
    using deadline = new StopDeadline({ clock, forceExit });
    deadline.begin("onterm-timeout", 100);
    clock.step(99);
    deadline.begin("onclose-timeout", 50);
    clock.step(49);
    expect(forced).toEqual([]);
    clock.step(1);
    expect(forced).toEqual(["did not stop within 50 ms (--onclose-timeout): exit without waiting"]);
    deadline.begin("onclose-timeout", 50);
  }
  expect(clock.pending).toBe(0);
});

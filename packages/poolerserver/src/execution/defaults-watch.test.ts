import { sleep } from "@multipooler/timing";
import { ManualClock } from "@multipooler/timing/testing";
import { expect, test } from "vitest";
import { silentLogger } from "../../test/silent-logger.ts";
import { DefaultsWatch } from "./defaults-watch.ts";

const NEVER = new AbortController().signal;

test.each<[string, (string | Error)[], number]>([
  ["the same answers", ["a", "a", "a"], 0],
  ["a change", ["a", "a", "b", "b"], 1],
  ["no answer in between", ["a", new Error("no"), "a"], 0],
  ["a change meanwhile", ["a", new Error("no"), "b"], 1],
  ["no answer at first: what sessions began with is not known", [new Error("no"), "a", "a"], 1],
])("%s", async (_, answers, changes) => {
  const clock = new ManualClock();
  let changed = 0;
  const left = [...answers];
  const watch = new DefaultsWatch({
    database: {
      database: "app",
      admin: async () => {
        const answer = left.shift() ?? new Error("nothing more");
        if (answer instanceof Error) {
          throw answer;
        }
        return [{ signature: answer }];
      },
    },
    clock,
    logger: silentLogger,
    isNeeded: () => true,
    onChanged: () => void (changed += 1),
  });
  await watch.open(NEVER);
  while (left.length > 0) {
    await clock.advance(2000);
  }
  expect(changed).toBe(changes);
  await watch.close();
  expect(clock.pending).toBe(0);
});

test("a first answer that takes long is waited for, and what sessions begin with is known", async () => {
  const clock = new ManualClock();
  let changed = 0;
  let isSlow = true;
  const watch = new DefaultsWatch({
    database: {
      database: "app",
      admin: async (_sql, _values, { signal } = {}) => {
        if (isSlow) {
          isSlow = false;
          await sleep(clock, 8000, signal);
          signal?.throwIfAborted();
        }
        return [{ signature: "a" }];
      },
    },
    clock,
    logger: silentLogger,
    isNeeded: () => true,
    onChanged: () => void (changed += 1),
  });
  let isOpen = false;
  const opening = watch.open(NEVER).then(() => (isOpen = true));
  await clock.advance(7999);
  expect(isOpen).toBe(false);
  await clock.advance(1);
  await opening;
  await clock.advance(20_000);
  expect(changed).toBe(0);
  await watch.close();
});

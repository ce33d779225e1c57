import { watch } from "node:fs";
import type { FSWatcher } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ManualClock } from "@multipooler/timing/testing";
import { expect, test } from "vitest";
import { ChangeSignal } from "./change-signal.ts";

test("a write to the log of the database is a sign at once, other files are none", async () => {
  const directory = await mkdtemp(join(tmpdir(), "multipooler signal "));
  const path = join(directory, "topology.db");
  const clock = new ManualClock();
  let signs = 0;
  const signal = new ChangeSignal({
    path,
    clock,
    onSign: () => {
      signs += 1;
    },
  });
  signal.start();
  // Told after the signal, for it watches from later on.
  const seen = witness(directory);
  try {
    await seen.after(() => writeFile(join(directory, "other.db-wal"), "other"));
    expect(signs).toBe(0);
    await seen.after(() => writeFile(`${path}-wal`, "a commit"));
    expect(signs).toBeGreaterThan(0);
    signal.stop();
    const before = signs;
    await seen.after(() => writeFile(`${path}-wal`, "another commit"));
    await clock.advance(10_000);
    expect(signs).toBe(before);
    expect(clock.pending).toBe(0);
  } finally {
    seen.stop();
    signal.stop();
    await rm(directory, { recursive: true });
  }
});

test("where the system gives no sign, the file is looked at every two seconds", async () => {
  const clock = new ManualClock({ startsAt: 0 });
  const signs: number[] = [];
  const signal = new ChangeSignal({
    path: "/nonexistent/topology.db",
    clock,
    onSign: () => signs.push(clock.now()),
  });
  signal.start();
  await clock.advance(6000);
  signal.stop();
  await clock.advance(6000);
  expect(signs).toEqual([2000, 4000, 6000]);
  expect(clock.pending).toBe(0);
});

test("a watch that failed begins again at the next look, and signs come at once", async () => {
  const directory = await mkdtemp(join(tmpdir(), "multipooler signal "));
  const path = join(directory, "topology.db");
  const clock = new ManualClock();
  const watchers: FSWatcher[] = [];
  let signs = 0;
  const signal = new ChangeSignal({
    path,
    clock,
    onSign: () => {
      signs += 1;
    },
    watchDirectory: (...watched) => {
      const watcher = watch(...watched);
      watchers.push(watcher);
      return watcher;
    },
  });
  signal.start();
  try {
    watchers[0]?.emit("error", new Error("the directory is away"));
    expect(signs).toBe(0);
    await clock.advance(2000);
    expect([watchers.length, signs]).toEqual([2, 1]);
    const seen = witness(directory);
    await seen.after(() => writeFile(`${path}-wal`, "a commit"));
    seen.stop();
    expect(signs).toBeGreaterThan(1);
    await clock.advance(2000);
    expect(watchers).toHaveLength(2);
  } finally {
    signal.stop();
    await rm(directory, { recursive: true });
  }
});

/** Sees the changes of a directory. */
function witness(directory: string): {
  readonly after: (change: () => Promise<void>) => Promise<void>;
  readonly stop: () => void;
} {
  let told = Promise.withResolvers<void>();
  const watcher = watch(directory, () => told.resolve());
  return {
    after: async (change) => {
      told = Promise.withResolvers();
      await change();
      await told.promise;
    },
    stop: () => watcher.close(),
  };
}

import { expect, test } from "vitest";
import { BusyRun } from "./busy-run.ts";
import type { PoolerTime } from "./server-time.ts";
import { Sharing } from "./sharing.ts";

/** That of a pooler which only waits. */
function waitedFor(ms: number): PoolerTime {
  return { waitedMs: () => ms, workMs: () => 0 };
}

class RecordingSharing extends Sharing {
  readonly runs: { readonly tookMs: number; readonly units: number }[] = [];

  override onRun(tookMs: number, units: number): void {
    this.runs.push({ tookMs, units });
  }
}

test("answers that come in one piece are counted together with the time that they took", () => {
  const sharing = new RecordingSharing(64);
  const run = new BusyRun();
  run.begin(0, waitedFor(0));
  for (let unit = 0; unit < 16; unit += 1) {
    run.unitEnded(4, waitedFor(4), unit === 15, sharing);
  }
  expect(sharing.runs).toEqual([{ tookMs: 4, units: 16 }]);
});

test("a session that never runs out of units is reported from time to time", () => {
  const sharing = new RecordingSharing(64);
  const run = new BusyRun();
  run.begin(0, waitedFor(0));
  for (let unit = 1; unit <= 16; unit += 1) {
    run.unitEnded(unit, waitedFor(unit), false, sharing);
  }
  expect(sharing.runs).toEqual([
    { tookMs: 8, units: 8 },
    { tookMs: 8, units: 8 },
  ]);
});

test("the first unit runs since the one before it has ended", () => {
  const run = new BusyRun();
  run.begin(0, waitedFor(0));
  expect(run.unitMs(3, waitedFor(3))).toBe(3);
  run.unitEnded(3, waitedFor(3), false, new RecordingSharing(64));
  expect(run.unitMs(5, waitedFor(5))).toBe(2);
});

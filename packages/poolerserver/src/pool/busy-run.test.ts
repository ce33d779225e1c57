import { expect, test } from "vitest";
import { BusyRun } from "./busy-run.ts";
import { Sharing } from "./sharing.ts";

class RecordingSharing extends Sharing {
  readonly runs: { readonly tookMs: number; readonly units: number }[] = [];

  override onRun(tookMs: number, units: number): void {
    this.runs.push({ tookMs, units });
  }
}

test("answers that come in one piece are counted together with the time that they took", () => {
  const sharing = new RecordingSharing(64);
  const run = new BusyRun();
  run.begin(0, 0);
  for (let unit = 0; unit < 16; unit += 1) {
    run.unitEnded(4, 4, unit === 15, sharing);
  }
  expect(sharing.runs).toEqual([{ tookMs: 4, units: 16 }]);
});

test("a session that never runs out of units is reported from time to time", () => {
  const sharing = new RecordingSharing(64);
  const run = new BusyRun();
  run.begin(0, 0);
  for (let unit = 1; unit <= 16; unit += 1) {
    run.unitEnded(unit, unit, false, sharing);
  }
  expect(sharing.runs).toEqual([
    { tookMs: 8, units: 8 },
    { tookMs: 8, units: 8 },
  ]);
});

test.each([
  {
    title: "what the pooler itself has worked is not the session's",
    tookMs: 5,
    waitedMs: 2,
    is: 2,
  },
  { title: "of a long run most is, however busy the pooler was", tookMs: 100, waitedMs: 2, is: 96 },
])("$title", ({ tookMs, waitedMs, is }) => {
  const sharing = new RecordingSharing(64);
  const run = new BusyRun();
  run.begin(50, 30);
  run.unitEnded(50 + tookMs, 30 + waitedMs, true, sharing);
  expect(sharing.runs).toEqual([{ tookMs: is, units: 1 }]);
});

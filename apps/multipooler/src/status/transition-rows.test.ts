import type { TransitionEnd, TransitionRecord } from "@multipooler/manager";
import { expect, test } from "vitest";
import { transitionRows } from "./transition-rows.ts";

const STOPPED: TransitionEnd = { status: "NOT_SERVING", role: "REPLICA" };
const DRAINED: TransitionEnd = { status: "DRAINED", role: "REPLICA" };
const PRIMARY: TransitionEnd = { status: "SERVING", role: "PRIMARY" };
const READS: TransitionEnd = { status: "SERVING_RDONLY", role: "REPLICA" };

function record(
  from: TransitionEnd,
  to: TransitionEnd,
  outcome: TransitionRecord["outcome"] = "reached",
): TransitionRecord {
  const startedAt = new Date("2026-01-01T00:00:00Z");
  return { startedAt, from, to, reason: "", outcome, durationMs: 1, attempts: 1, error: undefined };
}

function shown(...records: readonly TransitionRecord[]): readonly string[] {
  return transitionRows(records)
    .toReversed()
    .map(({ from, to }) => `${from} → ${to}`);
}

test("a primary that is drained was never a replica", () => {
  expect(
    shown(record(STOPPED, PRIMARY), record(PRIMARY, DRAINED), record(DRAINED, PRIMARY)),
  ).toEqual([
    "NOT_SERVING → PRIMARY SERVING",
    "PRIMARY SERVING → PRIMARY DRAINED",
    "PRIMARY DRAINED → PRIMARY SERVING",
  ]);
});

test("a primary that becomes a replica is one once it serves as such", () => {
  expect(shown(record(PRIMARY, STOPPED), record(STOPPED, READS), record(READS, DRAINED))).toEqual([
    "PRIMARY SERVING → PRIMARY NOT_SERVING",
    "PRIMARY NOT_SERVING → REPLICA SERVING_RDONLY",
    "REPLICA SERVING_RDONLY → REPLICA DRAINED",
  ]);
});

test("what was not reached does not count", () => {
  expect(shown(record(READS, PRIMARY, "superseded"), record(STOPPED, DRAINED))).toEqual([
    "REPLICA SERVING_RDONLY → PRIMARY SERVING",
    "REPLICA NOT_SERVING → REPLICA DRAINED",
  ]);
});

test("the last 20 are shown, latest first", () => {
  const rows = transitionRows([
    record(STOPPED, READS),
    ...Array.from({ length: 20 }, () => record(READS, DRAINED)),
    record(DRAINED, READS),
  ]);
  expect(rows).toHaveLength(20);
  expect(rows[0]).toMatchObject({ from: "REPLICA DRAINED", to: "REPLICA SERVING_RDONLY" });
});

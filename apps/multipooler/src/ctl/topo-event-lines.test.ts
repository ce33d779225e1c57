import { Cell, Multipooler, PoolerServingStatus } from "@multipooler/proto/clustermetadata";
import { TopoError, TopoErrorCode } from "@multipooler/topo";
import { expect, test } from "vitest";
import { EventLines, eventJson } from "./topo-event-lines.ts";
import type { TopoEvent } from "./topo-event.ts";
import type { TopoRecord } from "./topo-record.ts";

const SEEN = new Date("2026-11-23T10:00:00.250Z");
const CELL_KEY = "/multigres/global/cells/zone1/Cell";
const POOLER_KEY = "/multigres/zone1/poolers/multipooler-zone1-a/Pooler";
const error = new TopoError({
  code: TopoErrorCode.Unavailable,
  key: "/multigres/global/cells/",
  message: "no etcd server answers at 127.0.0.1:2379",
});

const cell: TopoRecord = {
  kind: "cell",
  key: CELL_KEY,
  version: 1n,
  record: Cell.fromPartial({ name: "zone1", root: "/multigres/zone1" }),
};

function pooler(change: Parameters<typeof Multipooler.fromPartial>[0] = {}): TopoRecord {
  const record = Multipooler.fromPartial({ hostname: "db1", portMap: { grpc: 1 }, ...change });
  return { kind: "pooler", key: POOLER_KEY, version: 2n, record };
}

test("a line says when, what, which kind, which record", () => {
  const lines = new EventLines();
  const events: readonly TopoEvent[] = [
    { type: "found", record: cell },
    { type: "written", record: pooler() },
    { type: "away", kind: "database", error },
    { type: "back", kind: "database" },
    { type: "deleted", kind: "pooler", key: POOLER_KEY },
  ];
  expect(events.map((event) => lines.line(event, SEEN))).toEqual([
    "2026-11-23 10:00:00Z  found    cell      zone1  root /multigres/zone1, on the global servers\n",
    "2026-11-23 10:00:00Z  new      pooler    multipooler-zone1-a  UNKNOWN, SERVING, UNKNOWN, at db1:1, for ?/?/?\n",
    "2026-11-23 10:00:00Z  away     database  /multigres/global/cells/: no etcd server answers at 127.0.0.1:2379\n",
    "2026-11-23 10:00:00Z  back     database\n",
    "2026-11-23 10:00:00Z  deleted  pooler    multipooler-zone1-a\n",
  ]);
});

test("a change prints the changed fields with old and new value", () => {
  const lines = new EventLines();
  const updated = new Date("2026-11-23T09:00:00Z");
  const before = pooler({ poolerDir: "/gone", lifecycleStatus: { reason: "", updated } });
  lines.line({ type: "found", record: before }, SEEN);
  const after = pooler({
    servingStatus: PoolerServingStatus.NOT_SERVING,
    lifecycleStatus: { reason: "stopped", updated: SEEN },
  });
  expect(lines.line({ type: "written", record: after }, SEEN)).toBe(
    "2026-11-23 10:00:00Z  changed  pooler    multipooler-zone1-a  servingStatus SERVING → NOT_SERVING, poolerDir /gone → (none), lifecycleStatus.reason (none) → stopped\n",
  );
});

test("a record that comes again after its deletion is new", () => {
  const lines = new EventLines();
  lines.line({ type: "found", record: pooler() }, SEEN);
  lines.line({ type: "deleted", kind: "pooler", key: POOLER_KEY }, SEEN);
  expect(lines.line({ type: "written", record: pooler() }, SEEN)).toContain("  new      pooler");
});

test("what a record holds cannot drive the terminal", () => {
  const line = new EventLines().line(
    { type: "found", record: pooler({ hostname: "a\u001b[31m\nb" }) },
    SEEN,
  );
  expect(line).toContain("a\\x1b[31m\\nb");
});

test("the address of a pooler can be dialled as it is", () => {
  const event: TopoEvent = { type: "found", record: pooler({ hostname: "::1" }) };
  expect(new EventLines().line(event, SEEN)).toContain("at [::1]:1, ");
});

test("JSON controls no terminal", () => {
  const line = eventJson({ type: "written", record: pooler({ hostname: "a\u009b2J" }) }, SEEN);
  expect(line).toContain(String.raw`"a\u009b2J"`);
});

test("JSON is one object a line with the same facts for programs", () => {
  const events: readonly TopoEvent[] = [
    { type: "found", record: cell },
    { type: "deleted", kind: "pooler", key: POOLER_KEY },
    { type: "damaged", kind: "pooler", key: POOLER_KEY, error },
    { type: "away", kind: "cell", error },
    { type: "back", kind: "cell" },
  ];
  const lines = events.map((event) => eventJson(event, SEEN));
  for (const line of lines) {
    expect(line).toMatch(/^\{.*\}\n$/);
  }
  const time = "2026-11-23T10:00:00.250Z";
  expect(lines.map((line): unknown => JSON.parse(line))).toEqual([
    {
      time,
      event: "found",
      kind: "cell",
      key: CELL_KEY,
      version: "1",
      record: { name: "zone1", root: "/multigres/zone1" },
    },
    { time, event: "deleted", kind: "pooler", key: POOLER_KEY },
    { time, event: "damaged", kind: "pooler", key: POOLER_KEY, error: error.message },
    { time, event: "away", kind: "cell", error: error.message },
    { time, event: "back", kind: "cell" },
  ]);
});

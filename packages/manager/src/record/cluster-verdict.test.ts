import type { ShardCluster } from "@multipooler/topo";
import { expect, test } from "vitest";
import type { ClusterPosition } from "../database/cluster-position.ts";
import { clusterVerdict } from "./cluster-verdict.ts";
import type { ClusterVerdict } from "./cluster-verdict.ts";

/** Timeline 1 ended at 100, timeline 2 at 200, and the shard is on 3. */
const SHARD: ShardCluster = {
  systemIdentifier: 7n,
  timeline: 3,
  history: [
    { timeline: 1, end: 100n },
    { timeline: 2, end: 200n },
  ],
};
const HERE: ClusterPosition = { ...SHARD, lsn: 250n };
const BRANCH = { timeline: 2, end: 150n };
const FIRST = { timeline: 1, end: 100n };

test.each<[string, Partial<ClusterPosition>, ClusterVerdict["type"]]>([
  ["on the shard's timeline", {}, "same"],
  ["that tells no history", { history: undefined }, "same"],
  ["of another cluster", { systemIdentifier: 8n }, "stranger"],
  ["on timeline 2, before its end", { timeline: 2, history: [FIRST], lsn: 200n }, "behind"],
  ["on timeline 2, beyond its end", { timeline: 2, history: [FIRST], lsn: 201n }, "diverged"],
  ["on timeline 1, nothing replayed", { timeline: 1, history: [], lsn: undefined }, "behind"],
  ["on timeline 1, beyond its end", { timeline: 1, history: [], lsn: 101n }, "diverged"],
  [
    "on a timeline 2 that began elsewhere",
    { timeline: 2, history: [{ timeline: 1, end: 90n }], lsn: 95n },
    "diverged",
  ],
  ["on a timeline 3 that began elsewhere", { history: [FIRST, BRANCH] }, "diverged"],
  [
    "on a timeline 4 that followed 3",
    { timeline: 4, history: [...(SHARD.history ?? []), { timeline: 3, end: 300n }] },
    "ahead",
  ],
  ["on a timeline 4 of unknown history", { timeline: 4, history: undefined }, "ahead"],
  [
    "on a timeline 4 that left 2 before it ended",
    { timeline: 4, history: [FIRST, BRANCH] },
    "diverged",
  ],
  [
    "on a timeline 4 that followed a 3 of its own",
    { timeline: 4, history: [FIRST, BRANCH, { timeline: 3, end: 300n }] },
    "diverged",
  ],
])("a server %s", (_, server, verdict) => {
  expect(clusterVerdict({ ...HERE, ...server }, SHARD).type).toBe(verdict);
});

test("a shard that does not know its history holds nothing against an older timeline", () => {
  const shard = { ...SHARD, history: undefined };
  expect(clusterVerdict({ ...HERE, timeline: 2, history: [FIRST] }, shard).type).toBe("behind");
  expect(clusterVerdict({ ...HERE, timeline: 4 }, shard).type).toBe("ahead");
});

import type { ShardCluster, TimelineEnd } from "@multipooler/topo";
import type { ClusterPosition } from "../database/cluster-position.ts";

/**
 * How a server stands to the cluster that its shard is.
 *
 * | verdict  | the server                                                                |
 * | -------- | ------------------------------------------------------------------------- |
 * | same     | is on the shard's timeline                                                |
 * | behind   | is on an earlier one, and has written nothing beyond the end of that      |
 * | ahead    | is on a later one, which began after the shard's                          |
 * | diverged | is on another branch of history, or went on where the shard left it       |
 * | stranger | is of another cluster                                                     |
 *
 * What a server does not tell of its history is not held against it.
 */
export type ClusterVerdict =
  | { readonly type: "same" | "behind" | "ahead" | "stranger" }
  | { readonly type: "diverged"; readonly how: string };

export function clusterVerdict(server: ClusterPosition, shard: ShardCluster): ClusterVerdict {
  if (server.systemIdentifier !== shard.systemIdentifier) {
    return { type: "stranger" };
  }
  if (server.timeline < shard.timeline) {
    return behind(server, shard);
  }
  const type = server.timeline === shard.timeline ? "same" : "ahead";
  if (server.history === undefined || shard.history === undefined) {
    return { type };
  }
  const past = before(server.history, shard.timeline);
  const followsIt =
    type === "same" || server.history.some(({ timeline }) => timeline === shard.timeline);
  return followsIt && sameHistory(past, shard.history)
    ? { type }
    : { type: "diverged", how: `is on timeline ${server.timeline} of another history` };
}

function behind(server: ClusterPosition, { history }: ShardCluster): ClusterVerdict {
  if (history === undefined) {
    return { type: "behind" };
  }
  const left = history.find(({ timeline }) => timeline === server.timeline);
  const isBranch =
    server.history !== undefined && !sameHistory(server.history, before(history, server.timeline));
  if (left === undefined || isBranch) {
    const how = `is on timeline ${server.timeline}, which the shard's history does not have`;
    return { type: "diverged", how };
  }
  return server.lsn === undefined || server.lsn <= left.end
    ? { type: "behind" }
    : {
        type: "diverged",
        how: `went on along timeline ${server.timeline} after the shard left it`,
      };
}

function before(history: readonly TimelineEnd[], limit: number): readonly TimelineEnd[] {
  return history.filter(({ timeline }) => timeline < limit);
}

/** Whether two histories are the same, as far as both are known. */
export function sameHistory(
  a: readonly TimelineEnd[] | undefined,
  b: readonly TimelineEnd[] | undefined,
): boolean {
  return (
    a?.length === b?.length &&
    (a ?? []).every(({ timeline, end }, at) => timeline === b?.[at]?.timeline && end === b[at].end)
  );
}

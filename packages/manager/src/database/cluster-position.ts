import type { TimelineEnd } from "@multipooler/topo";

/** Which cluster of servers one belongs to, and how far it is in the cluster's history. */
export interface ClusterPosition {
  /** Of the cluster, as `pg_controldata` tells it. */
  readonly systemIdentifier: bigint;
  /** The timeline that is written, or in recovery the latest that is known to be followed. */
  readonly timeline: number;
  /** The timelines before that one, oldest first; `undefined` where the server does not tell. */
  readonly history: readonly TimelineEnd[] | undefined;
  /** How far the WAL was written, or replayed; `undefined` where nothing was replayed yet. */
  readonly lsn: bigint | undefined;
}

import type { PoolerActivity } from "@multipooler/grpc-services";
import type { PoolRow, StatusReport } from "@multipooler/status-page";

/** Rows that are sent to a browser each second. */
const MAX_POOLS = 100;

type Pool = PoolerActivity["pools"][number];

/** The pools, those that are waited for or used most first. */
export function poolRows(pools: readonly Pool[]): Pick<StatusReport, "pools" | "morePools"> {
  const rows = pools.map(rowOf).toSorted(byNeed);
  return {
    pools: rows.slice(0, MAX_POOLS),
    morePools: Math.max(0, rows.length - MAX_POOLS),
  };
}

function rowOf(pool: Pool): PoolRow {
  const { database, user, servers, dials, limit, reservations, waiting, longestWaitMs } = pool;
  const inState = (state: string): number => servers.filter((one) => one.state === state).length;
  return {
    database,
    user,
    used: inState("active"),
    idle: inState("idle"),
    tested: inState("tested"),
    dials,
    limit,
    reservations,
    waiting,
    longestWaitMs,
  };
}

function byNeed(one: PoolRow, other: PoolRow): number {
  return (
    other.waiting - one.waiting ||
    other.used - one.used ||
    one.database.localeCompare(other.database) ||
    one.user.localeCompare(other.user)
  );
}

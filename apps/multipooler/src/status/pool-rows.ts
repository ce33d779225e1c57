import type { DatabasePool } from "@multipooler/poolerserver";
import type { HolderRow, PoolRow, StatusReport } from "@multipooler/status-page";

/** Rows that are sent to a browser each second. */
const MAX_POOLS = 100;
const MAX_HOLDERS = 50;

/** The pools, those that are waited for or used most first, and who has connections. */
export function poolRows(
  pools: readonly DatabasePool[],
  nowMs: number,
): Pick<StatusReport, "pools" | "morePools" | "holders" | "moreHolders"> {
  const rows = pools.map(rowOf).toSorted(byNeed);
  const holders = pools
    .flatMap((pool) => holdersOf(pool, nowMs))
    .toSorted((one, other) => (other.quietMs ?? 0) - (one.quietMs ?? 0));
  return {
    pools: rows.slice(0, MAX_POOLS),
    morePools: Math.max(0, rows.length - MAX_POOLS),
    holders: holders.slice(0, MAX_HOLDERS),
    moreHolders: Math.max(0, holders.length - MAX_HOLDERS),
  };
}

function rowOf(pool: DatabasePool): PoolRow {
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

function holdersOf({ database, user, servers }: DatabasePool, nowMs: number): HolderRow[] {
  return servers
    .filter(({ state }) => state === "active")
    .map(({ processId, requestedAt }) => ({
      database,
      user,
      processId,
      quietMs: requestedAt === 0 ? undefined : Math.max(0, nowMs - requestedAt),
    }));
}

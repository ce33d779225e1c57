import { ManagerError } from "../manager-error.ts";
import { SqlState } from "../postgres/database-fault.ts";
import { HEARTBEAT_TABLE } from "../postgres/sidecar-schema.ts";
import { bigintOf } from "../postgres/row.ts";
import type { Row } from "../postgres/row.ts";

/**
 * The key of the one row. Multigres' poolers use this byte whatever their shard is called, and a
 * database never holds two shards; so a replica of either kind finds the other's heartbeats.
 */
export const HEARTBEAT_KEY: Buffer = Buffer.from("0");

/** Writes the row: key, leader, timestamp. */
export const WRITE_HEARTBEAT_SQL: string = `
  INSERT INTO ${HEARTBEAT_TABLE} (shard_id, leader_id, ts) VALUES ($1, $2, $3)
  ON CONFLICT (shard_id) DO UPDATE SET leader_id = EXCLUDED.leader_id, ts = EXCLUDED.ts`;

/** Reads the timestamp of the row: key. */
export const READ_HEARTBEAT_SQL: string = `SELECT ts FROM ${HEARTBEAT_TABLE} WHERE shard_id = $1`;

/**
 * Reads the timestamp of the row, which may be missing, and how far the replay is behind what was
 * received, or what the primary last said that it has written where that is more; `isReceiving`: whether
 * more can come. NULL and false on a server out of recovery.
 */
export const READ_LAG_SQL: string = `
  SELECT (SELECT ts FROM ${HEARTBEAT_TABLE} WHERE shard_id = $1) AS ts,
         CASE WHEN pg_is_in_recovery() THEN greatest(0, pg_wal_lsn_diff(
           greatest(pg_last_wal_receive_lsn(), receiver.latest_end_lsn),
           pg_last_wal_replay_lsn()))::int8 END AS behind,
         receiver.pid IS NOT NULL AS "isReceiving"
  FROM (VALUES (1)) AS always
  LEFT JOIN pg_stat_wal_receiver AS receiver ON receiver.pid IS NOT NULL`;

/** A time as heartbeats carry it: nanoseconds since the Unix epoch. */
export function toNanoseconds(unixMs: number): bigint {
  return BigInt(Math.round(unixMs)) * 1_000_000n;
}

/** The heartbeat among the rows that one of the queries yields, in Unix milliseconds. */
export function heartbeatTime(rows: readonly Row[]): number | undefined {
  const [row] = rows;
  return row === undefined || row["ts"] === null
    ? undefined
    : Number(bigintOf(row, "ts") / 1_000_000n);
}

/** Whether a statement failed because there is no table. */
export function isTableMissing(error: unknown): boolean {
  return (
    error instanceof ManagerError &&
    (error.sqlState === SqlState.UndefinedTable || error.sqlState === SqlState.InvalidSchemaName)
  );
}

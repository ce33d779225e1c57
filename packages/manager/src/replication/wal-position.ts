import { bigintOf, booleanOf, integerOf, onlyRow, optionalTextOf } from "../postgres/row.ts";
import type { ServerPosition } from "./replication-control.ts";
import type { ReplicationSession } from "./replication-session.ts";

// A standby may be on a newer timeline than its last checkpoint, and PostgreSQL names that of a
// position outside of recovery only.
const POSITION_SQL = `
  SELECT state.in_recovery,
         CASE WHEN state.in_recovery THEN pg_last_wal_replay_lsn()
              ELSE pg_current_wal_lsn() END::text AS lsn,
         CASE WHEN state.in_recovery
              THEN greatest(
                (SELECT timeline_id FROM pg_control_checkpoint()),
                (SELECT min_recovery_end_timeline FROM pg_control_recovery()),
                (SELECT received_tli FROM pg_stat_wal_receiver WHERE pid IS NOT NULL LIMIT 1))
              ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int
         END AS timeline,
         (SELECT system_identifier FROM pg_control_system()) AS system_identifier
  FROM (SELECT pg_is_in_recovery() AS in_recovery OFFSET 0) AS state`;

/** Where the server is in the history of its cluster. */
export async function readPosition(session: ReplicationSession): Promise<ServerPosition> {
  const row = onlyRow(await session.read(POSITION_SQL));
  return {
    inRecovery: booleanOf(row, "in_recovery"),
    lsn: optionalTextOf(row, "lsn"),
    timeline: integerOf(row, "timeline"),
    systemIdentifier: bigintOf(row, "system_identifier"),
  };
}

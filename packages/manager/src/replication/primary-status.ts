import { requireRecovery } from "../actions/guardrails.ts";
import { poolerCalled } from "../record/application-name.ts";
import {
  booleanOf,
  integerOf,
  onlyRow,
  optionalNumberOf,
  optionalTextOf,
  textOf,
} from "../postgres/row.ts";
import type { Row } from "../postgres/row.ts";
import type { Follower, PrimaryStatus, ReplicationStats } from "./replication-control.ts";
import type { ReplicationSession } from "./replication-session.ts";
import { parseStandbyNames } from "./standby-names.ts";
import { synchronousOf } from "./synchronous-replication.ts";

const STATUS_SQL = `
  SELECT state.in_recovery,
         CASE WHEN state.in_recovery THEN '' ELSE pg_current_wal_lsn()::text END AS lsn,
         current_setting('synchronous_standby_names') AS names,
         current_setting('synchronous_commit') AS commit
  FROM (SELECT pg_is_in_recovery() AS in_recovery OFFSET 0) AS state`;

// Backups and subscribers are no followers. Of several connections of one name, as a standby has for a
// moment when it connects again, the newest counts.
const FOLLOWERS_SQL = `
  SELECT DISTINCT ON (application_name)
         application_name, pid, host(client_addr) AS client, state, sync_state,
         sent_lsn::text AS sent, write_lsn::text AS written,
         flush_lsn::text AS flushed, replay_lsn::text AS replayed,
         (extract(epoch FROM write_lag) * 1000)::float8 AS write_lag,
         (extract(epoch FROM flush_lag) * 1000)::float8 AS flush_lag,
         (extract(epoch FROM replay_lag) * 1000)::float8 AS replay_lag
  FROM pg_stat_replication
  WHERE application_name <> '' AND state IS DISTINCT FROM 'backup'
    AND pid NOT IN (SELECT active_pid FROM pg_replication_slots
                    WHERE slot_type = 'logical' AND active_pid IS NOT NULL)
  ORDER BY application_name, backend_start DESC`;

/** What a primary says of itself and its followers. Rejects with FAILED_PRECONDITION on a standby. */
export async function readPrimaryStatus(session: ReplicationSession): Promise<PrimaryStatus> {
  const row = onlyRow(await session.read(STATUS_SQL));
  requireRecovery("primary", { inRecovery: booleanOf(row, "in_recovery") });
  const names = parseStandbyNames(textOf(row, "names"));
  return {
    lsn: textOf(row, "lsn"),
    followers: followersOf(names?.names ?? [], await session.read(FOLLOWERS_SQL)),
    synchronous: synchronousOf(names, textOf(row, "commit")),
  };
}

/** Those that are waited for in the order of the setting, then the others that are connected. */
function followersOf(wanted: readonly string[], rows: readonly Row[]): readonly Follower[] {
  const connected = new Map(
    rows.map((row) => [textOf(row, "application_name"), statsOf(row)] as const),
  );
  const names = new Set([...wanted.filter((name) => name !== "*"), ...connected.keys()]);
  return Array.from(names, (applicationName) => ({
    applicationName,
    pooler: poolerCalled(applicationName),
    stats: connected.get(applicationName),
  }));
}

function statsOf(row: Row): ReplicationStats {
  return {
    processId: integerOf(row, "pid"),
    clientAddress: optionalTextOf(row, "client"),
    state: optionalTextOf(row, "state") ?? "",
    syncState: optionalTextOf(row, "sync_state") ?? "",
    sentLsn: optionalTextOf(row, "sent"),
    writeLsn: optionalTextOf(row, "written"),
    flushLsn: optionalTextOf(row, "flushed"),
    replayLsn: optionalTextOf(row, "replayed"),
    writeLagMs: optionalNumberOf(row, "write_lag"),
    flushLagMs: optionalNumberOf(row, "flush_lag"),
    replayLagMs: optionalNumberOf(row, "replay_lag"),
  };
}

import { requireRecovery } from "../actions/guardrails.ts";
import { booleanOf, onlyRow, optionalTextOf, optionalTimeOf, textOf } from "../postgres/row.ts";
import { ConnInfoSyntaxError, withoutSecrets } from "./conn-info.ts";
import type { ConnInfo } from "./conn-info.ts";
import { parseConnInfo } from "./conn-info-parser.ts";
import type { PrimaryConnInfo, ReplicationStatus } from "./replication-control.ts";
import type { ReplicationSession } from "./replication-session.ts";

// PostgreSQL refuses the two in the middle outside of recovery.
const STATUS_SQL = `
  SELECT state.in_recovery,
         pg_last_wal_replay_lsn()::text AS replayed,
         pg_last_wal_receive_lsn()::text AS received,
         CASE WHEN state.in_recovery THEN pg_is_wal_replay_paused() ELSE false END AS is_paused,
         CASE WHEN state.in_recovery THEN pg_get_wal_replay_pause_state() ELSE '' END AS pause_state,
         pg_last_xact_replay_timestamp() AS last_xact,
         current_setting('primary_conninfo') AS conninfo,
         (SELECT status FROM pg_stat_wal_receiver WHERE pid IS NOT NULL LIMIT 1) AS receiver,
         (SELECT last_msg_receipt_time FROM pg_stat_wal_receiver LIMIT 1) AS heard_at
  FROM (SELECT pg_is_in_recovery() AS in_recovery OFFSET 0) AS state`;

/** What a standby says of its replication. Rejects with FAILED_PRECONDITION on a primary. */
export async function readReplicationStatus(
  session: ReplicationSession,
): Promise<ReplicationStatus> {
  const row = onlyRow(await session.read(STATUS_SQL));
  requireRecovery("standby", { inRecovery: booleanOf(row, "in_recovery") });
  return {
    lastReplayLsn: optionalTextOf(row, "replayed"),
    lastReceiveLsn: optionalTextOf(row, "received"),
    isReplayPaused: booleanOf(row, "is_paused"),
    pauseState: textOf(row, "pause_state"),
    lastXactReplayTimestamp: optionalTimeOf(row, "last_xact"),
    primaryConnInfo: primaryConnInfoOf(textOf(row, "conninfo")),
    walReceiver: optionalTextOf(row, "receiver"),
    lastMessageReceivedAt: optionalTimeOf(row, "heard_at"),
  };
}

/** `primary_conninfo` as PostgreSQL has it; `undefined` where it is empty. */
function primaryConnInfoOf(text: string): PrimaryConnInfo | undefined {
  if (text.trim() === "") {
    return undefined;
  }
  const info = readConnInfo(text);
  if (info === undefined) {
    // Nobody knows where in it a password is.
    const raw = "[no connection string that libpq can read]";
    return { host: "", port: undefined, user: "", applicationName: "", raw };
  }
  return {
    host: info.get("host") ?? info.get("hostaddr") ?? "",
    port: portOf(info.get("port")),
    user: info.get("user") ?? "",
    applicationName: info.get("application_name") ?? "",
    raw: withoutSecrets(info),
  };
}

function readConnInfo(text: string): ConnInfo | undefined {
  try {
    return parseConnInfo(text);
  } catch (error) {
    if (error instanceof ConnInfoSyntaxError) {
      return undefined;
    }
    throw error;
  }
}

function portOf(text: string | undefined): number | undefined {
  return text !== undefined && /^[0-9]{1,5}$/.test(text) ? Number(text) : undefined;
}

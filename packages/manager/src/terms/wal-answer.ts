import type {
  Lsn,
  ReplicationControl,
  ReplicationStatus,
} from "../replication/replication-control.ts";

/** What PostgreSQL says of its WAL. */
export interface WalAnswer {
  readonly inRecovery: boolean;
  /** What was written on a primary, what was replayed in recovery. */
  readonly lsn: Lsn | undefined;
  /** `undefined` on a primary. */
  readonly standby: ReplicationStatus | undefined;
}

/** Asks the server. Rejects as `ReplicationControl` does. */
export async function answerOf(
  control: ReplicationControl,
  signal: AbortSignal,
): Promise<WalAnswer> {
  const { inRecovery, lsn } = await control.position({ signal });
  const standby = inRecovery ? await control.replicationStatus({ signal }) : undefined;
  return { inRecovery, lsn, standby };
}

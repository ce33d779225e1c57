import type { ActionLease } from "../actions/action-lock.ts";
import { booleanOf, integerOf, onlyRow, optionalTextOf, textOf } from "../postgres/row.ts";
import { changeSettings } from "./configuration.ts";
import { failedPrecondition, timedOut } from "./replication-fault.ts";
import type { Lsn, PauseMode, ReplicationStatus } from "./replication-control.ts";
import type { ReplicationSession } from "./replication-session.ts";
import { readReplicationStatus } from "./replication-status.ts";

const PAUSE_POLLING = { intervalMs: 100, timeoutMs: 10_000 } as const;
const LSN_POLL_MS = 100;

/**
 * Waits until the standby has replayed a position. Rejects with TIMED_OUT, and with
 * FAILED_PRECONDITION where it stops to be a standby.
 */
export async function waitForLsn(
  session: ReplicationSession,
  target: Lsn,
  timeoutMs: number | undefined,
): Promise<void> {
  await session.require("standby");
  let replayed: string | undefined;
  const reached = await session.poll(
    async () => {
      const row = onlyRow(await session.read(REPLAYED_SQL, [target]));
      replayed = optionalTextOf(row, "replayed");
      if (!booleanOf(row, "in_recovery") && row["reached"] !== true) {
        throw failedPrecondition(
          `the server was promoted at ${replayed ?? "no position"}, before it replayed ${target}`,
        );
      }
      return row["reached"] === true ? true : undefined;
    },
    { intervalMs: LSN_POLL_MS, timeoutMs },
  );
  if (reached === undefined) {
    const found = replayed ?? "nothing";
    throw timedOut(`the standby has replayed ${found} after ${timeoutMs} ms, and not ${target}`);
  }
}

const REPLAYED_SQL = `
  SELECT pg_is_in_recovery() AS in_recovery, pg_last_wal_replay_lsn()::text AS replayed,
         pg_last_wal_replay_lsn() >= $1::pg_lsn AS reached`;

/** Requests a pause, which begins with the next record; never waits. */
export async function requestPause(session: ReplicationSession, lease: ActionLease): Promise<void> {
  await session.change(lease, "SELECT pg_wal_replay_pause()");
}

export async function resumeReplay(session: ReplicationSession, lease: ActionLease): Promise<void> {
  await session.change(lease, "SELECT pg_wal_replay_resume()");
}

/** Stops replay, receiver or both, and answers what came of it. */
export async function pause(
  session: ReplicationSession,
  lease: ActionLease,
  { mode, waits }: { readonly mode: PauseMode; readonly waits: boolean },
): Promise<ReplicationStatus> {
  await session.require("standby");
  switch (mode) {
    case "replay":
      await pauseReplay(session, lease, waits);
      break;
    case "receiver":
      await stopReceiver(session, lease, waits);
      break;
    case "replay and receiver":
      // A standby that does not replay does not stop its receiver either.
      await stopReceiver(session, lease, true);
      await pauseReplay(session, lease, waits);
      break;
  }
  return await readReplicationStatus(session);
}

async function pauseReplay(
  session: ReplicationSession,
  lease: ActionLease,
  waits: boolean,
): Promise<void> {
  await requestPause(session, lease);
  if (!waits) {
    return;
  }
  const paused = await session.poll(
    async () => ((await readPauseState(session)) === "paused" ? true : undefined),
    PAUSE_POLLING,
  );
  if (paused === undefined) {
    throw timedOut("timeout waiting for WAL replay to pause");
  }
}

async function readPauseState(session: ReplicationSession): Promise<string> {
  const row = onlyRow(await session.read("SELECT pg_get_wal_replay_pause_state() AS state"));
  return textOf(row, "state");
}

/**
 * Has the standby follow nobody, and waits for the end of its receiver. One that a paused replay keeps is
 * not waited for: the process that replays is the one that ends it.
 */
async function stopReceiver(
  session: ReplicationSession,
  lease: ActionLease,
  waits: boolean,
): Promise<void> {
  await changeSettings(session, lease, [{ name: "primary_conninfo", value: "" }]);
  if (!waits) {
    return;
  }
  const gone = await session.poll(async () => {
    const isPaused = (await readPauseState(session)) !== "not paused";
    return isPaused || (await isReceiverGone(session)) ? true : undefined;
  }, PAUSE_POLLING);
  if (gone === undefined) {
    throw timedOut("timeout waiting for the WAL receiver to stop");
  }
}

async function isReceiverGone(session: ReplicationSession): Promise<boolean> {
  const row = onlyRow(await session.read(RECEIVER_SQL));
  return integerOf(row, "receivers") === 0 || row["status"] === "waiting";
}

/** A receiver that waits for a new connection string has none to go on with. */
const RECEIVER_SQL = `
  SELECT count(*)::int AS receivers, min(status) AS status
  FROM pg_stat_wal_receiver WHERE pid IS NOT NULL`;

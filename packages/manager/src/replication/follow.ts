import type { ActionLease } from "../actions/action-lock.ts";
import { onlyRow, textOf } from "../postgres/row.ts";
import { changeSettings } from "./configuration.ts";
import { formatConnInfo } from "./conn-info.ts";
import type { ConnInfo } from "./conn-info.ts";
import type { FollowRequest } from "./replication-control.ts";
import { invalidArgument } from "./replication-fault.ts";
import type { ReplicationSession } from "./replication-session.ts";
import { requestPause, resumeReplay } from "./wal-replay.ts";

/** Has a standby follow a primary. Rejects with FAILED_PRECONDITION on a primary. */
export async function follow(
  session: ReplicationSession,
  lease: ActionLease,
  { connInfo, request }: { readonly connInfo: ConnInfo; readonly request: FollowRequest },
): Promise<void> {
  const { pausesReplayBefore = false, resumesReplayAfter = false } = request;
  const value = formatConnInfo(connInfo);
  if (/[\0\n\r]/.test(value)) {
    throw invalidArgument("the connection string of a primary must be one line");
  }
  await session.require("standby");
  if (pausesReplayBefore) {
    await requestPause(session, lease);
  }
  await changeSettings(session, lease, [{ name: "primary_conninfo", value }]);
  if (resumesReplayAfter) {
    await resumeReplay(session, lease);
  }
}

/**
 * Has a server follow nobody. On a primary this is for its time as a standby: it must not begin that with
 * a former primary.
 */
export async function forgetPrimary(
  session: ReplicationSession,
  lease: ActionLease,
): Promise<void> {
  const row = onlyRow(await session.read("SELECT current_setting('primary_conninfo') AS conninfo"));
  if (textOf(row, "conninfo") !== "") {
    await changeSettings(session, lease, [{ name: "primary_conninfo", value: "" }]);
  }
}

import type { ActionLease } from "../actions/action-lock.ts";
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

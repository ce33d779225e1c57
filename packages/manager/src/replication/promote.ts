import type { ActionLease } from "../actions/action-lock.ts";
import { timedOut } from "./replication-fault.ts";
import type { ReplicationSession } from "./replication-session.ts";

const POLLING = { intervalMs: 100, timeoutMs: 30_000 } as const;

/**
 * Ends recovery, a paused one too, and resolves when it is over: at once on a primary. Rejects with
 * TIMED_OUT after 30 s; the server may still promote then.
 */
export async function promote(session: ReplicationSession, lease: ActionLease): Promise<void> {
  if (!(await session.isInRecovery())) {
    return;
  }
  await session.change(lease, "SELECT pg_promote(wait => false)");
  const over = await session.poll(
    async () => ((await session.isInRecovery()) ? undefined : true),
    POLLING,
  );
  if (over === undefined) {
    throw timedOut(`the server is still in recovery ${POLLING.timeoutMs} ms after its promotion`);
  }
}

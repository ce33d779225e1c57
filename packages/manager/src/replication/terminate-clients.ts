import type { ActionLease } from "../actions/action-lock.ts";
import { integerOf, onlyRow, textOf } from "../postgres/row.ts";
import { timedOut } from "./replication-fault.ts";
import type { ReplicationSession } from "./replication-session.ts";

const POLLING = { intervalMs: 50, timeoutMs: 5_000 } as const;

// A PID may have been reused by the time that somebody looks again, hence the start. The manager's own
// connections are those of its user with its names. The conditions come first: PostgreSQL may evaluate
// those of one WHERE in any order.
const TERMINATE_SQL = `
  WITH clients AS MATERIALIZED (
    SELECT pid, pid || '@' || extract(epoch FROM backend_start) AS backend
    FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
      AND NOT (usename = current_user AND application_name = ANY ($1::text[])))
  SELECT backend FROM clients WHERE pg_terminate_backend(pid)`;

const REST_SQL = `
  SELECT count(*)::int AS rest FROM pg_stat_activity
  WHERE pid || '@' || extract(epoch FROM backend_start) = ANY ($1::text[])`;

/**
 * Ends every session of a client, those of the pool included, and resolves with their number when they
 * are gone. Rejects with TIMED_OUT where one is not after 5 s.
 *
 * @param spared `application_name` of the manager's own connections
 */
export async function terminateClients(
  session: ReplicationSession,
  lease: ActionLease,
  spared: readonly string[],
): Promise<number> {
  const rows = await session.change(lease, TERMINATE_SQL, [spared]);
  const backends = rows.map((row) => textOf(row, "backend"));
  let rest = backends.length;
  const gone = await session.poll(async () => {
    rest = integerOf(onlyRow(await session.read(REST_SQL, [backends])), "rest");
    return rest === 0 ? true : undefined;
  }, POLLING);
  if (gone === undefined) {
    throw timedOut(
      `${rest} of ${backends.length} sessions did not end within ${POLLING.timeoutMs} ms`,
    );
  }
  return backends.length;
}

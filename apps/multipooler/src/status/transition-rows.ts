import type { TransitionEnd, TransitionRecord } from "@multipooler/manager";
import type { TransitionRow } from "@multipooler/status-page";

/** Transitions that the page shows. */
const MAX_ROWS = 20;

/**
 * The last transitions, latest first. A pooler that serves nothing has the role REPLICA, which claims
 * least; for people it stays what it last served as.
 */
export function transitionRows(records: readonly TransitionRecord[]): readonly TransitionRow[] {
  let lastRole: string | undefined;
  const named = ({ status, role }: TransitionEnd): string => {
    if (status === "SERVING" || status === "SERVING_RDONLY") {
      lastRole = role;
    }
    return lastRole === undefined ? status : `${lastRole} ${status}`;
  };
  const rows = records.map((record): TransitionRow => {
    const { startedAt, reason, outcome, durationMs, attempts, error } = record;
    const from = named(record.from);
    // What was not reached says nothing of what comes after it.
    const before = lastRole;
    const to = named(record.to);
    lastRole = outcome === "reached" ? lastRole : before;
    return {
      startedAt: startedAt.toISOString(),
      from,
      to,
      reason,
      outcome,
      durationMs,
      attempts,
      error,
    };
  });
  return rows.slice(-MAX_ROWS).toReversed();
}

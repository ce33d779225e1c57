import type { AdminRow, DatabaseHandle } from "@multipooler/controller-api";
import type { AskActivity, ProcessActivity } from "./silence-watch.ts";

/** The state is NULL where it is not tracked, or not shown to the manager's role. */
const ACTIVITY = `select pid::int4 as pid,
    case when state like 'idle%'
      then (extract(epoch from clock_timestamp() - state_change) * 1000)::float8 end as idle_ms
  from pg_catalog.pg_stat_activity where pid = any($1::int4[])`;

/** Asks `pg_stat_activity` over the manager's own connections. */
export function postgresActivity(database: Pick<DatabaseHandle, "admin">): AskActivity {
  return async (processIds, signal) => {
    const rows = await database.admin(ACTIVITY, [[...processIds]], { signal });
    return rows.map(activityOf);
  };
}

function activityOf({ pid, idle_ms: idleMs }: AdminRow): ProcessActivity {
  return {
    processId: Number(pid),
    idleMs: typeof idleMs === "number" ? idleMs : undefined,
  };
}

import type { AdminRow, DatabaseHandle } from "@multipooler/controller-api";
import type { ProcessActivity, ServerProcesses } from "./silence-watch.ts";

/** The state is NULL where it is not tracked, or not shown to the manager's role. */
const ACTIVITIES = `select pid::int4 as pid,
    case when state like 'idle%'
      then (extract(epoch from clock_timestamp() - state_change) * 1000)::float8 end as idle_ms
  from pg_catalog.pg_stat_activity where pid = any($1::int4[])`;
/** The name, as the session last reported it, makes sure that the PID has not become another one's meanwhile. */
const END_IDLE = `select pg_catalog.pg_terminate_backend(pid) from pg_catalog.pg_stat_activity
  where pid = $1::int4 and application_name = $2 and state like 'idle%'`;

/** The processes behind sessions, over the manager's own connections. */
export function postgresProcesses(database: Pick<DatabaseHandle, "admin">): ServerProcesses {
  return {
    async activities(processIds, signal) {
      const rows = await database.admin(ACTIVITIES, [[...processIds]], { signal });
      return rows.map(activityOf);
    },
    async endIdle({ processId, parameters }, signal) {
      const name = parameters.get("application_name") ?? "";
      await database.admin(END_IDLE, [processId, name], { signal });
    },
  };
}

function activityOf({ pid, idle_ms: idleMs }: AdminRow): ProcessActivity {
  return {
    processId: Number(pid),
    idleMs: typeof idleMs === "number" ? idleMs : undefined,
  };
}

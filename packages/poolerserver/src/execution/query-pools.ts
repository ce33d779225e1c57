import type { DatabaseHandle } from "@multipooler/controller-api";
import type { Logger } from "../logger.ts";
import type { ResolvedOptions } from "../multi-pooler-options.ts";
import type { ActivityTotals } from "../pool/activity-totals.ts";
import { applicationName, postgresBackends } from "../pool/postgres-dial.ts";
import { postgresProcesses } from "../pool/postgres-processes.ts";
import type { UserBudget } from "../pool/user-budget.ts";
import { UserPools } from "../pool/user-pools.ts";
import type { SlowLog } from "./slow-log.ts";

/** The name of the pool in the `application_name` of its sessions. */
const POOL = "regular";
/** How long `close` waits for a health check that holds a connection. */
const CLOSE_GRACE_MS = 1000;

export interface QueryPoolsOptions {
  readonly database: DatabaseHandle;
  readonly settings: ResolvedOptions;
  readonly budget: UserBudget;
  readonly totals: ActivityTotals;
  readonly slow: SlowLog;
  readonly logger: Logger;
  /** Somebody begins to wait for a connection. */
  readonly onWaiting: () => void;
}

/** The connections of a database that statements of clients run on. */
export function queryPools({
  database,
  settings,
  budget,
  totals,
  slow,
  logger,
  onWaiting,
}: QueryPoolsOptions): UserPools {
  const { clock } = settings;
  const name = applicationName(database.applicationName, POOL);
  return new UserPools(
    {
      ...settings,
      database: database.database,
      user: database.user,
      logger,
      openBackend: postgresBackends(database, { name, clock }),
      budget,
      totals,
      slow,
      onWaiting,
      closeGraceMs: CLOSE_GRACE_MS,
      processes: postgresProcesses(database),
      suspect: (cause) => database.suspect(cause),
    },
    "read-write",
  );
}

import type { DatabaseHandle } from "@multipooler/controller-api";
import { QueryMode } from "@multipooler/query-service";
import type { Logger } from "../logger.ts";
import type { ResolvedOptions } from "../multi-pooler-options.ts";
import { applicationName, postgresBackends } from "../pool/postgres-dial.ts";
import { postgresProcesses } from "../pool/postgres-processes.ts";
import type { UserPools } from "../pool/user-pools.ts";
import type { ServingGate } from "../serving/serving-gate.ts";
import { NotificationListener } from "./notification-listener.ts";

/** Its name in the `application_name` of the connection. */
const LISTENER = "listen";

export interface PostgresListenerOptions {
  readonly database: DatabaseHandle;
  readonly gate: Pick<ServingGate, "refusal">;
  /** Whose budget the connection is in. */
  readonly pools: Pick<UserPools, "openSingle" | "parameters">;
  readonly settings: ResolvedOptions;
  readonly logger: Logger;
}

/** Listens to the database as its configured role. */
export function postgresListener(options: PostgresListenerOptions): NotificationListener {
  const { database, gate, pools, settings, logger } = options;
  const { clock } = settings;
  const name = applicationName(database.applicationName, LISTENER);
  const dial = postgresBackends(database, { name, clock });
  return new NotificationListener({
    ...settings,
    logger,
    openBackend: dial({ user: database.user, keys: undefined }),
    openShare: () => pools.openSingle(),
    processes: postgresProcesses(database),
    serverEncoding: () => pools.parameters?.get("server_encoding"),
    admit: () => {
      const refusal = gate.refusal("single", QueryMode.Writable);
      if (refusal !== undefined) {
        throw refusal;
      }
    },
    suspect: (cause) => database.suspect(cause),
  });
}

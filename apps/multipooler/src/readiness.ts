import type { ManagerStatus } from "@multipooler/manager";
import type { Readiness } from "./http-server.ts";

/** What `/ready` answers. A topology that is away does not make the pooler unready, but is told. */
export function readiness(status: ManagerStatus): Readiness {
  const { state, serving, database, topology } = status;
  return {
    ready: status.ready,
    details: {
      state: state.name,
      reason: status.notReadyReason,
      type: status.type,
      role: serving.current.role,
      serving: serving.current.status,
      database: { reachable: database.reachable, error: database.lastError },
      topology: {
        registered: topology.registered,
        typeSource: topology.typeSource,
        awaySince: topology.awaySince,
        error: topology.lastError,
      },
    },
  };
}

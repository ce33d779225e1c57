import type { ConnectionCount } from "@multipooler/grpc-services";
import type { ManagerStatus } from "@multipooler/manager";
import type { ClientCount } from "@multipooler/pgwire-services";
import type { LogOutage } from "../log/log-output.ts";

/** Whether the pooler can serve, and the reason if not. */
interface Readiness {
  readonly ready: boolean;
  /** Further members of the JSON answer, e.g. state and reason. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** The part of `/ready` that is about the process itself. */
export interface ProcessState {
  readonly log: LogOutage | undefined;
  readonly grpc: ConnectionCount & { readonly limit: number };
  /** Clients of PostgreSQL's protocol; `undefined` if they are not served. */
  readonly clients: (ClientCount & { readonly limit: number }) | undefined;
}

/**
 * Builds the answer of `/ready`. A topology that is unreachable or a log that cannot be written does
 * not make the pooler unready; the answer shows both.
 */
export function readiness(status: ManagerStatus, { log, grpc, clients }: ProcessState): Readiness {
  const { state, serving, database, topology } = status;
  return {
    ready: status.ready,
    details: {
      state: state.name,
      code: status.notReadyCode,
      reason: status.notReadyReason,
      since: status.notReadySince,
      type: status.type,
      role: serving.current.role,
      serving: serving.current.status,
      database: { reachable: database.reachable, error: database.lastError },
      topology: {
        registered: topology.registered,
        typeSource: topology.typeSource,
        ignoredType: topology.ignoredType,
        awaySince: topology.awaySince,
        error: topology.lastError,
      },
      grpc,
      clients,
      log,
    },
  };
}

import type { PoolerActivity, PoolerOperations } from "@multipooler/grpc-services";
import type { PgwireServer } from "@multipooler/pgwire-services";
import type { MultiPooler } from "@multipooler/poolerserver";
import type { Reload } from "./reload/reload.ts";

export interface OperationsParts {
  readonly reload: Pick<Reload, "run" | "explain">;
  readonly administration: MultiPooler["administration"];
  readonly clients: Pick<PgwireServer, "views" | "endClient"> | undefined;
}

/** What the program answers of the manager service. The parts are asked for at each call. */
export function poolerOperations(parts: () => OperationsParts): PoolerOperations {
  return {
    reload: () => parts().reload.run("ReloadConfig", {}),
    explainReload: () => parts().reload.explain(),
    activity: () => activityOf(parts()),
    endClient: (id) => parts().clients?.endClient(id) ?? false,
    endReservation: (id) => parts().administration.endReservation(id),
  };
}

function activityOf({ administration, clients }: OperationsParts): PoolerActivity {
  return {
    nowMs: Date.now(),
    capacity: administration.limits.capacity,
    pools: administration.pools(),
    databases: administration.databases(),
    clients: clients?.views() ?? [],
    reservations: administration.reservations(),
  };
}

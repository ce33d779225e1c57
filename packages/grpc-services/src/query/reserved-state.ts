import type { Reservation } from "@multipooler/query-service";
import { ID_ComponentType } from "@multipooler/proto/clustermetadata";
import type { ReservedState } from "@multipooler/proto/query";
import type { PoolerManager } from "../server/pooler-manager.ts";

/** A reservation as the wire carries it, with the pooler that every further call must go to. */
export function reservedState(
  manager: Pick<PoolerManager, "status">,
  reservation: Reservation | undefined,
): ReservedState | undefined {
  if (reservation === undefined) {
    return undefined;
  }
  return {
    reservedConnectionId: reservation.id,
    poolerId: { component: ID_ComponentType.MULTIPOOLER, ...manager.status().pooler },
    reservationReasons: reservation.reasons,
    backendProcessId: reservation.backendProcessId,
  };
}
